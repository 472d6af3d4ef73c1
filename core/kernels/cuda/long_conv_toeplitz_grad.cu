// The Toeplitz kernels' backward pass from one reading of the rows: dv = T^T dw + skip dw and what
// follows from it, the output gate's gradient from T v, and the filter's from both.

#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/long_conv_toeplitz.h"
#include "core/kernels/cuda/toeplitz_gradient.cuh"
#include "core/kernels/cuda/toeplitz_launch.cuh"
#include "core/kernels/cuda/toeplitz_product.cuh"

#include <algorithm>

namespace longconv::kernels::cuda {
namespace toeplitz {
namespace {

/// Where the filter's gradients go; each may be nullptr.
struct FilterGradient {
  float* dk;          // [H, K]
  float* dk_reverse;  // [H, K']
  float* dskip;       // [H]
  std::int64_t taps;  // K and K', as allocated
  std::int64_t reverse_taps;

  [[nodiscard]] __host__ __device__ bool wanted() const {
    return dk != nullptr || dk_reverse != nullptr || dskip != nullptr;
  }
};

template <class T>
struct GradArgs {
  ApplyArgs<T> dv;     // du and dg_in from dw
  ApplyArgs<T> dgate;  // dg_out from v
  FilterRows filter;
  FilterGradient gradient;
};

/// From the sums by lags to the tensors (FilterTaps, the other way round).
template <class Sums>
__device__ void store_gradient(const FilterGradient& to, std::int64_t h, int length, ConvMode mode,
                               const float* diagonals, int exponent) {
  // Products carry 2^(2 top - exponent).
  const int unscale = exponent - 2 * kTopExponent;
  const float low = power_of_two(unscale / 2);
  const float high = power_of_two(unscale - unscale / 2);
  const auto at = [&](int d) { return Sums::total(diagonals, d) * low * high; };
  if (threadIdx.x == 0 && to.dskip != nullptr) to.dskip[h] = at(0);
  for (std::int64_t j = threadIdx.x; to.dk != nullptr && j < to.taps; j += kThreads) {
    float x = 0.0F;  // taps that no output sees
    if (j < length) {
      const int d = static_cast<int>(j);
      x = at(d);
      if (mode == ConvMode::circular && d > 0) x += at(d - length);
    }
    to.dk[h * to.taps + j] = x;
  }
  const int first_lag = mode == ConvMode::bidirectional ? 1 : 0;
  for (std::int64_t j = threadIdx.x; to.dk_reverse != nullptr && j < to.reverse_taps;
       j += kThreads) {
    to.dk_reverse[h * to.reverse_taps + j] =
        j + first_lag < length ? at(-static_cast<int>(j) - first_lag) : 0.0F;
  }
}

/// Sets of 64 lags of a warp.
template <int kRows, bool kTwoSided>
inline constexpr int kLagSets = (kTwoSided ? 2 : 1) * kTileElements / kRows / 64 / kWarps;

template <class T, int kRows, Access kAccess, bool kPlain, bool kTwoSided>
__global__ void __launch_bounds__(kThreads, kPlain&& kLagSets<kRows, kTwoSided> == 1 ? 3 : 2)
    backward_kernel(const GradArgs<T> args) {
  extern __shared__ __align__(16) unsigned char memory[];
  __shared__ int v_exponent[kRows];
  __shared__ int w_exponent[kRows];
  __shared__ __align__(4) __half factor[kRows];
  __shared__ uint4 zero[64];
  const int length = args.dv.length;
  const int chunks = padded_length(length) / kChunk;
  uint4* const tiles = reinterpret_cast<uint4*>(memory);  // v and dw, this time's and the next
  uint2* const tables = reinterpret_cast<uint2*>(memory + 4 * kTileBytes);
  const TapTable mirrored{tables, chunks, kTwoSided ? chunks : 1};
  const TapTable table{mirrored.end(), kTwoSided ? chunks : 1, chunks};
  float* const taps = reinterpret_cast<float*>(kPlain ? mirrored.end() : table.end());
  const bool wants_filter = args.gradient.wanted();
  const bool wants_gate = !kPlain && args.dgate.out[0] != nullptr;

  // A block's share of the channels, each with all its batch rows, tile by tile.
  const std::int64_t parts = (args.dv.batch + kRows - 1) / kRows;
  const Share channels(args.dv.channels);
  const std::int64_t begin = channels.begin * parts;
  const std::int64_t end = channels.end * parts;
  const auto place = [&](std::int64_t i) {
    const std::int64_t first = i % parts * kRows;
    return TilePlace{first, i / parts,
                     static_cast<int>(min(std::int64_t{kRows}, args.dv.batch - first))};
  };
  const TileRows<T, kRows, kAccess, !kPlain> v_rows(args.dgate.in, length);
  const TileRows<T, kRows, kAccess, !kPlain> w_rows(args.dv.in, length);
  const auto fetch = [&](std::int64_t i) {
    uint4* const to = tiles + (i - begin) % 2 * (2 * kTileUnits);
    v_rows.fetch(to, place(i));
    w_rows.fetch(to + kTileUnits, place(i));
  };
  if (begin < end) {
    fetch_taps(taps, args.filter, place(begin).h);
    fetch(begin);
  }

  using Sums = LagSums<kLagSets<kRows, kTwoSided>, kTwoSided>;
  Sums sums;
  int exponent = kNoSum;
  ProductInputs in{};
  int table_exponent = 0;
  in.reach = args.filter.taps - 1;
  if (threadIdx.x < 64) zero[threadIdx.x] = make_uint4(0, 0, 0, 0);
  for (std::int64_t i = begin; i < end; ++i) {
    uint4* const v = tiles + (i - begin) % 2 * (2 * kTileUnits);
    uint4* const w = v + kTileUnits;
    copies_wait<0>();
    __syncthreads();
    in.at = place(i);
    if (in.at.first == 0) {
      table_exponent = mirrored.template fill<true>(args.filter.copied(taps));
      if (wants_gate) table.template fill<false>(args.filter.copied(taps));
      sums.scale(0.0F);
      exponent = kNoSum;
    }
    v_rows.convert(v, in.at, v_exponent);
    w_rows.convert(w, in.at, w_exponent);
    __syncthreads();
    if (i + 1 < end) {
      const TilePlace next = place(i + 1);
      if (next.first == 0) fetch_taps(taps, args.filter, next.h);
      fetch(i + 1);
    }
    if (wants_filter) {
      int largest = exponent;
      const int lane = static_cast<int>(threadIdx.x) % 32;
      if (lane < kRows) largest = max(largest, v_exponent[lane] + w_exponent[lane]);
      largest = __reduce_max_sync(0xFFFFFFFFU, largest);
      if (largest != exponent) sums.scale(power_of_two(exponent - largest));
      exponent = largest;
      if (threadIdx.x < kRows) {
        factor[lane] =
            __float2half_rn(power_of_two(v_exponent[lane] + w_exponent[lane] - exponent));
      }
    }
    in.tap_exponent = table_exponent;
    if (args.dv.out[0] != nullptr) {
      in.tile = w;
      in.exponent = w_exponent;
      in.taps = mirrored;
      apply_tile<T, kRows, kAccess, kPlain, kTwoSided, true>(args.dv, in);
    }
    if (wants_gate) {
      in.tile = v;
      in.exponent = v_exponent;
      in.taps = table;
      apply_tile<T, kRows, kAccess, kPlain, kTwoSided, false>(args.dgate, in);
    }
    if (!wants_filter) continue;
    __syncthreads();
#pragma unroll 1
    for (int tile = 0; 16 * tile < in.at.rows; ++tile) {
      sums.add(v + tile * chunks * 64, w + tile * chunks * 64, zero, factor + 16 * tile, chunks,
               kTwoSided ? length - 1 : 0, kTwoSided ? length - 1 : max(in.reach, 0));
    }
    if (in.at.first + kRows < args.dv.batch) continue;
    // The channel's last tile: its places are free.
    __syncthreads();
    float* const diagonals = reinterpret_cast<float*>(v);
    static_assert((Sums::kStored + Sums::kScratch) * 4 <= 2 * kTileBytes);
    sums.store(diagonals, diagonals + Sums::kStored);
    __syncthreads();
    store_gradient<Sums>(args.gradient, in.at.h, length, args.filter.mode, diagonals, exponent);
  }
}

template <class T>
void backward(const LongConvGradArgs& args, Stream stream) {
  const LongConvArgs& in = args.inputs;
  if (in.channels == 0) return;
  const GradArgs<T> call{
      input_gradient_call<T>(args, 0), output_gate_gradient_call<T>(args, 0), FilterRows(in),
      FilterGradient{static_cast<float*>(args.dk), static_cast<float*>(args.dk_reverse),
                     static_cast<float*>(args.dskip), in.taps, in.reverse_taps}};
  const bool plain = call.dv.is_plain() && call.dv.in.b == nullptr && call.dgate.in.b == nullptr &&
                     call.dgate.out[0] == nullptr;
  const int length = static_cast<int>(in.length);
  const int chunks = padded_length(length) / kChunk;
  with_shape(length, call.dv.by_vectors() && call.dgate.by_vectors(), plain,
             in.mode != ConvMode::causal,
             [&]<int kRows, Access kAccess, bool kPlain, bool kTwoSided>() {
               const auto kernel = backward_kernel<T, kRows, kAccess, kPlain, kTwoSided>;
               const int table = TapTable::bytes(chunks, kTwoSided ? chunks : 1);
               launch(kernel, in.channels,
                      4 * kTileBytes + tap_bytes(call.filter, kTwoSided) + (kPlain ? 0 : table),
                      stream, call);
             });
}

}  // namespace
}  // namespace toeplitz

void toeplitz_backward_bf16(const LongConvGradArgs& args, Stream stream) {
  toeplitz::backward<__nv_bfloat16>(args, stream);
}
void toeplitz_backward_f16(const LongConvGradArgs& args, Stream stream) {
  toeplitz::backward<__half>(args, stream);
}

}  // namespace longconv::kernels::cuda
