// A warp's share of the Toeplitz product: 16 rows by a group of output chunks.
#pragma once

#include "core/kernels/cuda/toeplitz_tile.cuh"

namespace longconv::kernels::cuda::toeplitz {

/// Which inputs a group of outputs sees of its own group's steps.
enum class Part {
  full,   ///< all
  lower,  ///< its own chunk's and earlier ones'
  upper,  ///< its own chunk's and later ones'
};

inline constexpr int kGroup = 2;  // chunks: a warp's outputs at once

/// Sums of kGroup neighbouring output chunks: [chunk][product][row g: two columns, row g + 8: two].
class ToeplitzSums {
 public:
  float sum[kGroup][4][4] = {};

  /// Adds what the input chunks [from, to) give to the output chunks from `first` on; all multiples
  /// of kGroup. `inputs`: the lane's unit of row g in chunk 0. Calls follow each other: the
  /// operands of one distance between chunks serve kGroup outputs, and are kept between them.
  template <Part kPart>
  __device__ void add(const uint4* inputs, const uint2* taps, int first, int from, int to) {
#pragma unroll 1
    for (int j = from; j < to; j += kGroup) {
      const uint2* const base = taps + TapTable::kPerChunk * (first - j);
#pragma unroll
      for (int u = 0; u < kGroup; ++u) {
        if (kPart != Part::lower || u == 0) load(-u & (kGroup - 1), base - TapTable::kPerChunk * u);
        const uint4 a = inputs[64 * (j + u)];
        const uint4 b = inputs[64 * (j + u) + 32];
        const std::uint32_t left[2][4] = {{a.x, b.x, a.y, b.y}, {a.z, b.z, a.w, b.w}};
#pragma unroll
        for (int i = 0; i < kGroup; ++i) {
          if ((kPart == Part::lower && i < u) || (kPart == Part::upper && i > u)) continue;
#pragma unroll
          for (int in = 0; in < 2; ++in) {
#pragma unroll
            for (int out = 0; out < 4; ++out) {
              multiply_add(sum[i][out], left[in], right_[(i - u) & (kGroup - 1)][out][in]);
            }
          }
        }
      }
    }
  }

  /// Before the first `add`, unless that is `upper`: distances 1 .. kGroup - 1 from first - from.
  __device__ void prepare(const uint2* taps, int first, int from) {
#pragma unroll
    for (int i = 1; i < kGroup; ++i) load(i, taps + TapTable::kPerChunk * (first - from + i));
  }

 private:
  __device__ void load(int slot, const uint2* base) {
#pragma unroll
    for (int out = 0; out < 4; ++out) {
#pragma unroll
      for (int in = 0; in < 2; ++in) {
        const uint2 words = base[TapTable::offset(out, in)];
        right_[slot][out][in][0] = words.x;
        right_[slot][out][in][1] = words.y;
      }
    }
  }
  std::uint32_t right_[kGroup][4][2][2];
};

/// What a product reads.
struct ProductInputs {
  const uint4* tile;
  const int* exponent;  // of the tile's rows
  TapTable taps;
  int tap_exponent;
  int reach;  // most steps back that a tap reaches (ahead, if mirrored)
  TilePlace at;
};

/// Eight products of one chunk's values and a factor, in the tensor's dtype.
template <class T>
__device__ inline void multiply(const float (&value)[8], const uint4& factor, float (&x)[8]) {
  const std::uint32_t words[4] = {factor.x, factor.y, factor.z, factor.w};
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const float2 pair = unpack<T>(words[j]);
    x[2 * j] = value[2 * j] * pair.x;
    x[2 * j + 1] = value[2 * j + 1] * pair.y;
  }
}

/// out = factor (filter * in + skip in) for the tile's rows, a warp's 16 rows by kGroup chunks at a
/// time. Warps share the rows' groups of chunks so that each has early and late ones.
template <class T, int kRows, Access kAccess, bool kPlain, bool kTwoSided, bool kMirrored>
__device__ void apply_tile(const ApplyArgs<T>& call, const ProductInputs& in) {
  constexpr int kRowTiles = kRows / 16;
  constexpr int kParts = kWarps / kRowTiles;  // warps that share 16 rows
  constexpr int kOutputs = kPlain ? 1 : 2;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int g = static_cast<int>(threadIdx.x) % 32 / 4;
  const int q = static_cast<int>(threadIdx.x) % 4;
  const int row_tile = warp % kRowTiles;
  const int part = warp / kRowTiles;
  if (16 * row_tile >= in.at.rows) return;

  const int length = call.length;
  const int chunks = padded_length(length) / kChunk;
  const uint4* const inputs = in.tile + row_tile * chunks * 64 + place_in_chunk(g, q);
  const uint2* const taps = in.taps.lane_base();
  const float tap_scale = power_of_two(in.tap_exponent - kTopExponent);
  const float skip = kPlain || call.skip == nullptr ? 0.0F : call.skip[in.at.h];
  const std::int64_t channel = in.at.h * length;

#pragma unroll 1
  for (int round = 0; round * kParts * kGroup < chunks; ++round) {
    // Every other round goes backwards, so that the warps' work is alike.
    const int place = round % 2 == 0 ? part : kParts - 1 - part;
    const int first = kGroup * (round * kParts + place);
    if (first >= chunks) continue;
    uint4 factor[kOutputs][2][kGroup];  // asked for early
    if constexpr (!kPlain) {
#pragma unroll
      for (int which = 0; which < 2; ++which) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int r = min(16 * row_tile + 8 * half + g, in.at.rows - 1);
          const T* const row =
              call.factor[which] == nullptr
                  ? nullptr
                  : call.factor[which] + (in.at.first + r) * call.factor_stride[which] + channel;
#pragma unroll
          for (int i = 0; i < kGroup; ++i) {
            factor[which][half][i] =
                load_factor<T, kAccess>(row, kChunk * (first + i) + 8 * q, length);
          }
        }
      }
    }
    ToeplitzSums sums;
    constexpr int kSteps = kChunk * kGroup;
    const int reach = (in.reach + kSteps - 1) / kSteps * kGroup;  // in chunks
    if constexpr (kTwoSided) {
      sums.prepare(taps, first, 0);
      sums.add<Part::full>(inputs, taps, first, 0, chunks);
    } else if constexpr (kMirrored) {
      sums.add<Part::upper>(inputs, taps, first, first, first + kGroup);
      sums.add<Part::full>(inputs, taps, first, first + kGroup,
                           min(chunks, first + kGroup + reach));
    } else {
      const int from = max(0, first - reach);
      sums.prepare(taps, first, from);
      sums.add<Part::full>(inputs, taps, first, from, first);
      sums.add<Part::lower>(inputs, taps, first, first, first + kGroup);
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int r = 16 * row_tile + 8 * half + g;
      if (r >= in.at.rows) continue;
      const float row_scale = power_of_two(in.exponent[r] - kTopExponent);
#pragma unroll
      for (int i = 0; i < kGroup; ++i) {
        const int t = kChunk * (first + i) + 8 * q;
        float value[8];
#pragma unroll
        for (int j = 0; j < 8; ++j) {
          value[j] = tap_scale * sums.sum[i][j / 2][2 * half + j % 2];
        }
        if (!kPlain && call.skip != nullptr) {
          // The skip stays out of the 16-bit sum: it is added here, in float.
          const uint4 unit = inputs[64 * (first + i) + 32 * half];
          const std::uint32_t words[4] = {unit.x, unit.y, unit.z, unit.w};
#pragma unroll
          for (int j = 0; j < 4; ++j) {
            const float2 pair = unpack<__half>(words[j]);
            value[2 * j] = fmaf(skip, pair.x, value[2 * j]);
            value[2 * j + 1] = fmaf(skip, pair.y, value[2 * j + 1]);
          }
        }
#pragma unroll
        for (int j = 0; j < 8; ++j) value[j] *= row_scale;
#pragma unroll
        for (int which = 0; which < kOutputs; ++which) {
          if (!kPlain && call.out[which] == nullptr) continue;
          T* const out = call.out[which] + (in.at.first + r) * call.out_stride + channel;
          if constexpr (kPlain) {
            store_eight<T, kAccess>(out, t, length, value);
          } else {
            float x[8];
            multiply<T>(value, factor[which][half][i], x);
            store_eight<T, kAccess>(out, t, length, x);
          }
        }
      }
    }
  }
}

}  // namespace longconv::kernels::cuda::toeplitz
