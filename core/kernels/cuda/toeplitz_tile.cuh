// Pieces of the Toeplitz kernels: rows scaled into shared memory as operands of tensor-core
// products, and the filter as the other operand.
//
// Operands are fp16 whatever the tensors are: bf16 has 8 bits of mantissa, fp16 11, and both run at
// the same rate. A power of two per row keeps every row inside fp16's range, so that values of 1e4
// and of 1e-6 keep their relative accuracy; sums are float.
//
// The order of a product's terms is free, and chosen for memory: of 32 steps (a *chunk*), lane q of
// a quad has eight neighbours, 8 q .. 8 q + 7, the 16 bytes that it reads from a tensor and writes
// to one. Of the two products a chunk takes as left operand, product m holds its steps 4 m + s in
// the places (q, s) of the contraction; of the four a chunk takes as output, product m' holds its
// steps 2 m' + s' in the columns (q, s'). So nothing is ever turned round between lanes.
#pragma once

#include "core/kernels/cuda/filter_taps.cuh"
#include "core/kernels/cuda/long_conv_calls.cuh"
#include "core/kernels/cuda/long_conv_toeplitz.h"
#include "core/kernels/cuda/row_access.cuh"
#include "core/kernels/cuda/row_exponent.cuh"
#include "core/kernels/cuda/tensor_core.cuh"

namespace longconv::kernels::cuda::toeplitz {

inline constexpr int kWarps = 4;
inline constexpr int kThreads = 32 * kWarps;
inline constexpr int kChunk = 32;               // steps
inline constexpr int kStep = 64;                // lengths are padded to
inline constexpr int kTileElements = 8 * 1024;  // rows times padded length, at most
inline constexpr int kTileUnits = kTileElements / 8;
inline constexpr int kTileBytes = 2 * kTileElements;
static_assert(kToeplitzMaxLength * 16 <= kTileElements);  // 16 rows, an operand's height

/// Scaled rows have their largest element in [2^14, 2^15): a factor two below fp16's limit, and 28
/// binary orders above its smallest normal number.
inline constexpr int kTopExponent = 14;

LONGCONV_HOST_DEVICE constexpr int padded_length(int length) {
  return (length + kStep - 1) / kStep * kStep;
}

/// Batch rows of a tile: as many as the length allows, a multiple of 16.
constexpr int rows_for(int length) { return length <= kTileElements / 32 ? 32 : 16; }

/// Where 16 bytes lie in a tile, in units of 16 bytes: 16 rows by a chunk are 64 units, and a
/// permutation keeps both a warp's own units and 8x8 matrices free of bank conflicts.
__device__ inline int place_in_chunk(int row, int q) {  // row < 16
  const int g = row % 8;
  return 32 * (row / 8) + 4 * g + (q ^ (g / 2));
}
__device__ inline int tile_unit(int row, int chunk, int q, int chunks) {
  return (row / 16 * chunks + chunk) * 64 + place_in_chunk(row % 16, q);
}

/// A block's share of `count` things, in order.
struct Share {
  std::int64_t begin;
  std::int64_t end;
  __device__ explicit Share(std::int64_t count)
      : begin(count * blockIdx.x / gridDim.x), end(count * (blockIdx.x + 1) / gridDim.x) {}
};

/// Which rows a tile holds: channel h of batch rows first .. first + rows - 1.
struct TilePlace {
  std::int64_t first;
  std::int64_t h;
  int rows;
};

/// A block's rows on their way into a tile: first copied there as they are, behind other work, then
/// scaled and rounded in place. A lane meets only its own units.
template <class T, int kRows, Access kAccess, bool kGated>
class TileRows {
  static constexpr int kWarpRows = kRows / kWarps;            // 8 or 4
  static constexpr int kVectors = kTileUnits / kThreads;      // of a lane
  static constexpr int kChunksAtOnce = 32 / (4 * kWarpRows);  // of a row

 public:
  static constexpr int kNoRow = -10000;  // exponent of a row beyond the batch

  __device__ TileRows(const Signal<T>& in, int length)
      : in_(in),
        length_(length),
        row_(kWarpRows * (static_cast<int>(threadIdx.x) / 32) +
             static_cast<int>(threadIdx.x) / 4 % kWarpRows),
        step_(8 * (static_cast<int>(threadIdx.x) % 4) +
              kChunk * (static_cast<int>(threadIdx.x) % 32 / (4 * kWarpRows))) {}

  /// Copies; convert() comes after copies_wait().
  __device__ void fetch(uint4* tile, const TilePlace& at) const {
    const T* const row = in_.a + place_of(at, in_.a_stride);
    uint4* const to = tile + first_unit();
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      const int t = step_of(i);
      if (t >= padded_length(length_)) break;
      if constexpr (kAccess == Access::scalar) {
        to[64 * kChunksAtOnce * i] = load_eight<T, kAccess>(row, t, length_);
      } else {
        const bool there = kAccess == Access::whole || t < length_;
        copy_later(shared_address(to + 64 * kChunksAtOnce * i), row + (there ? t : 0), there);
      }
    }
  }

  /// exponent[r] of every row; ends without a barrier.
  __device__ void convert(uint4* tile, const TilePlace& at, int* exponent) const {
    uint4* const units = tile + first_unit();
    const int padded = padded_length(length_);
    uint4 raw[kVectors];
    uint4 gate[kVectors];
    if constexpr (kGated) {
      const T* const row = in_.b == nullptr ? nullptr : in_.b + place_of(at, in_.b_stride);
#pragma unroll
      for (int i = 0; i < kVectors; ++i) {
        gate[i] = load_factor<T, kAccess>(row, step_of(i), length_);
      }
    }
    float largest = 0.0F;
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      if (step_of(i) >= padded) break;
      raw[i] = units[64 * kChunksAtOnce * i];
      float x[8];
      products(raw[i], gate[i], x);
#pragma unroll
      for (int j = 0; j < 8; ++j) largest = fmaxf(largest, fabsf(x[j]));
    }
    largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFU, largest, 1));
    largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFU, largest, 2));
#pragma unroll
    for (int step = 4 * kWarpRows; step < 32; step *= 2) {
      largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFU, largest, step));
    }
    const bool inside = row_ < at.rows;
    const int mine = row_exponent<kTopExponent>(largest);
    const float scale = power_of_two(kTopExponent - mine);
    if (step_ == 0) exponent[row_] = inside ? mine : kNoRow;
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      if (step_of(i) >= padded) break;
      float x[8];
      products(raw[i], gate[i], x);
      uint4 words;
      words.x = pack<__half>(x[0] * scale, x[1] * scale);
      words.y = pack<__half>(x[2] * scale, x[3] * scale);
      words.z = pack<__half>(x[4] * scale, x[5] * scale);
      words.w = pack<__half>(x[6] * scale, x[7] * scale);
      units[64 * kChunksAtOnce * i] = inside ? words : make_uint4(0, 0, 0, 0);
    }
  }

 private:
  __device__ int step_of(int i) const { return step_ + kChunk * kChunksAtOnce * i; }
  __device__ int first_unit() const {
    return tile_unit(row_, step_ / kChunk, step_ / 8 % 4, padded_length(length_) / kChunk);
  }
  __device__ std::int64_t place_of(const TilePlace& at, std::int64_t stride) const {
    return (at.first + min(row_, at.rows - 1)) * stride + at.h * length_;
  }
  __device__ static void products(const uint4& raw, const uint4& gate, float (&x)[8]) {
    const std::uint32_t words[4] = {raw.x, raw.y, raw.z, raw.w};
    const std::uint32_t gates[4] = {gate.x, gate.y, gate.z, gate.w};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      float2 pair = unpack<T>(words[j]);
      if constexpr (kGated) {
        const float2 factor = unpack<T>(gates[j]);
        pair.x *= factor.x;
        pair.y *= factor.y;
      }
      x[2 * j] = pair.x;
      x[2 * j + 1] = pair.y;
    }
  }

  const Signal<T>& in_;
  int length_;
  int row_;   // the lane's row
  int step_;  // the first of its steps
};

/// Brings a channel's taps to shared memory, later: k, then k_reverse.
__device__ inline void fetch_taps(float* to, const FilterRows& filter, std::int64_t h) {
  const FilterTaps taps = filter.row(h);
  const auto copy = [](float* into, const float* from) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;"
                 :
                 : "r"(shared_address(into)), "l"(from)
                 : "memory");
  };
  for (int j = threadIdx.x; j < taps.taps; j += kThreads) copy(to + j, taps.k + j);
  if (taps.k_reverse == nullptr) return;
  for (int j = threadIdx.x; j < taps.reverse_taps; j += kThreads) {
    copy(to + taps.taps + j, taps.k_reverse + j);
  }
}

/// The filter as right operands: entry x holds the weights of lags x .. x - 3. One entry serves a
/// lane's whole 16x8 operand, and ten places for eight entries keep the lanes' banks apart.
struct TapTable {
  uint2* entries;
  int back;   // chunks of lags below 0
  int ahead;  // and from 0 on

  __host__ __device__ static constexpr int bytes(int back, int ahead) {
    return (back + ahead) * kChunk * 10;
  }
  /// Behind the last entry.
  __device__ uint2* end() const { return entries + bytes(back, ahead) / 8; }
  __device__ static int place(int x) { return x + 2 * (x / 8); }

  /// Fills it from a channel's taps in shared memory, scaled by a power of two whose exponent (the
  /// same in every thread) it returns; mirrored, with the lags' sign turned. Ends without a
  /// barrier.
  template <bool kMirrored>
  __device__ int fill(const FilterTaps& taps) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    float amax = 0.0F;
    for (int j = lane; j < taps.taps; j += 32) amax = fmaxf(amax, fabsf(taps.k[j]));
    for (int j = lane; taps.k_reverse != nullptr && j < taps.reverse_taps; j += 32) {
      amax = fmaxf(amax, fabsf(taps.k_reverse[j]));
    }
    // One order of room: at lag 0 two taps may meet.
    const int exponent = row_exponent<kTopExponent>(warp_max(amax)) + 1;
    const float scale = power_of_two(kTopExponent - exponent);
    const int count = (back + ahead) * kChunk;
    constexpr int kNew = 29;  // of a warp's 32: the first three are there for their neighbours
    for (int i = kNew * (static_cast<int>(threadIdx.x) / 32); i < count; i += kNew * kWarps) {
      const int index = i + lane - 3;
      const int x = index - back * kChunk;
      const int lag = kMirrored ? -x : x;
      const float weight = abs(lag) < taps.length ? scale * taps.at_lag(lag) : 0.0F;
      const float before = __shfl_up_sync(0xFFFFFFFFU, weight, 1);
      const std::uint32_t pair = pack<__half>(weight, before);
      const std::uint32_t earlier = __shfl_up_sync(0xFFFFFFFFU, pair, 2);
      if (lane >= 3 && index < count) entries[place(index)] = make_uint2(pair, earlier);
    }
    return exponent;
  }

  /// Lane (g, q)'s entry of chunk distance 0, product (0, 0).
  __device__ const uint2* lane_base() const {
    const int g = static_cast<int>(threadIdx.x) % 32 / 4;
    const int q = static_cast<int>(threadIdx.x) % 4;
    return entries + 40 * back + 10 * (g / 2 - q) + g % 2;
  }
  static constexpr int kPerChunk = 40;
  /// From lane_base to output product m', input product m.
  __device__ static constexpr int offset(int out, int in) {
    const int x = 2 * out - 4 * in;
    return x + 2 * (x < 0 ? -1 : 0);
  }
};

}  // namespace longconv::kernels::cuda::toeplitz
