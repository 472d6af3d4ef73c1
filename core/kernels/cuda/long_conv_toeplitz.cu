// y = g_out * (T v + skip v), v = g_in * u, with T[t,s] = k[t-s] (0 <= t-s < K) on tensor cores.
//
// A block owns one channel and 16 or 32 batch rows: Y (rows x L) = V (rows x L) T^T. V lies in
// shared memory as fp16, each row scaled by its own power of two; T is never built: the fragment
// that multiplies inputs i..i+15 into outputs o..o+7 depends on o - i alone, so a warp reads it
// from the reversed taps (two copies, the second shifted by one, so that every pair of taps is one
// aligned word). A warp's 64 outputs are eight such fragments; the step from i to i+16 moves each
// two places on, so they rotate through registers and only two are read anew.
//
// The same kernel runs backward: dv = T^T dw is the same product with the taps mirrored. Exactly
// causal: no output reads a later input. Work is L^2 / 2 products a row, or L K where K < L.

#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/long_conv_calls.cuh"
#include "core/kernels/cuda/long_conv_toeplitz.h"
#include "core/kernels/cuda/toeplitz_tile.cuh"

#include <algorithm>

namespace longconv::kernels::cuda {
namespace {

constexpr int kTile = 64;  // outputs of a warp's tile
constexpr int kWarps = 8;  // at most, in a block
constexpr int kPad = 8;    // halves after each row: ldmatrix then hits every bank once
constexpr int kMaxRows = 32;

template <class T>
struct ToeplitzArgs {
  ApplyArgs<T> call;
  const float* k;            // [H, K]
  int padded;                // length rounded up to kTile
  int taps;                  // min(K, L)
  std::int64_t taps_stride;  // K
};

/// Halves of one copy of the taps. The coefficient of o - i = d is at index origin - d, with origin
/// = padded, or kTile when mirrored.
__host__ __device__ constexpr int coefficient_count(int padded) { return padded + kTile + 8; }

/// The 16x8 fragment for outputs o..o+7 and inputs i..i+15, d = o - i.
__device__ inline void load_fragment(std::uint32_t (&b)[2], const __half* lane_base, int d) {
  b[0] = *reinterpret_cast<const std::uint32_t*>(lane_base - d);
  b[1] = *reinterpret_cast<const std::uint32_t*>(lane_base - d + 8);
}

/// Fills both copies of the taps, scaled; returns their exponent (the same in every thread).
template <bool kMirrored>
__device__ int stage_taps(const float* k, int taps, int padded, __half* even, __half* odd,
                          float* scratch) {
  float amax = 0.0F;
  for (int j = threadIdx.x; j < taps; j += blockDim.x) amax = fmaxf(amax, fabsf(k[j]));
  amax = warp_max(amax);
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = amax;
  __syncthreads();
  for (int w = 0; w < static_cast<int>(blockDim.x) / 32; ++w) amax = fmaxf(amax, scratch[w]);
  const int exponent = row_exponent(amax);
  const float scale = power_of_two(kTopExponent - exponent);
  const int count = coefficient_count(padded);
  for (int p = threadIdx.x; p < count; p += blockDim.x) {
    const int j = kMirrored ? p - kTile : padded - p;
    const __half x = __float2half_rn(j >= 0 && j < taps ? k[j] * scale : 0.0F);
    even[p] = x;
    if (p > 0) odd[p - 1] = x;
  }
  if (threadIdx.x == 0) odd[count - 1] = __float2half_rn(0.0F);
  return exponent;
}

/// Multiplies by the factor and stores one tile's 32 columns of one row, held as words[j] = columns
/// 8j + 2q, +1 in lane q of the quad.
template <class T, bool kAligned>
__device__ void store_row(const float (&value)[4][2], const T* factor, T* out, int column,
                          int length, int lane) {
  const int q = lane % 4;
  if constexpr (kAligned) {
    const int mine = column + 8 * q;
    std::uint32_t words[4] = {};
    if (factor != nullptr) {
      if (mine < length) {
        const uint4 x = *reinterpret_cast<const uint4*>(factor + mine);
        words[0] = x.x;
        words[1] = x.y;
        words[2] = x.z;
        words[3] = x.w;
      }
      transpose_quad(words, lane);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const float2 f = unpack<T>(words[j]);
        words[j] = pack<T>(value[j][0] * f.x, value[j][1] * f.y);
      }
    } else {
#pragma unroll
      for (int j = 0; j < 4; ++j) words[j] = pack<T>(value[j][0], value[j][1]);
    }
    transpose_quad(words, lane);
    if (out != nullptr && mine < length) {
      *reinterpret_cast<uint4*>(out + mine) = make_uint4(words[0], words[1], words[2], words[3]);
    }
  } else {
    if (out == nullptr) return;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int t = column + 8 * j + 2 * q + i;
        if (t >= length) continue;
        out[t] = from_float<T>(factor == nullptr ? value[j][i] : value[j][i] * to_float(factor[t]));
      }
    }
  }
}

template <class T, int kRowTiles, bool kMirrored, int kVectors>
__global__ void __launch_bounds__(32 * kWarps, kRowTiles == 2 ? 2 : 3)
    toeplitz_kernel(const ToeplitzArgs<T> args) {
  const ApplyArgs<T>& call = args.call;
  constexpr int kRows = 16 * kRowTiles;
  extern __shared__ __align__(16) unsigned char memory[];
  __shared__ float scratch[kWarps];
  __shared__ float row_scale[kMaxRows];  // 2^(exponent - kTopExponent), undoes the row's scaling

  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const int warps = blockDim.x / 32;
  const int stride = args.padded + kPad;
  __half* const v = reinterpret_cast<__half*>(memory);
  __half* const even = v + kRows * stride;
  // 32 halves on from a multiple of 64: the two copies use different halves of the banks.
  __half* const odd = even + (coefficient_count(args.padded) + 63) / 64 * 64 + 32;

  const std::int64_t h = blockIdx.x;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.y) * kRows;
  const int rows = static_cast<int>(min(static_cast<std::int64_t>(kRows), call.batch - first));

  constexpr int kAtOnce = kRowsAtOnce<kVectors>;
  for (int r0 = warp * kAtOnce; r0 < kRows; r0 += warps * kAtOnce) {
    RawRow<T, kVectors> raw[kAtOnce];
    const auto row_at = [&](int r) {
      const std::int64_t b = first + min(r, rows - 1);
      return ProductRow<T>{
          call.in.a + b * call.in.a_stride + h * call.length,
          call.in.b == nullptr ? nullptr : call.in.b + b * call.in.b_stride + h * call.length};
    };
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) raw[i].load(row_at(r0 + i), call.length, lane);
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const int r = r0 + i;
      const bool inside = r < rows;
      const int exponent = row_exponent(raw[i].amax(row_at(r), call.length, lane));
      const float scale = inside ? power_of_two(kTopExponent - exponent) : 0.0F;
      raw[i].store(row_at(r), scale, call.length, args.padded, v + r * stride, lane);
      if (lane == 0) row_scale[r] = inside ? power_of_two(exponent - kTopExponent) : 0.0F;
    }
  }
  const int tap_exponent = stage_taps<kMirrored>(args.k + h * args.taps_stride, args.taps,
                                                 args.padded, even, odd, scratch);
  __syncthreads();
  const float tap_scale = power_of_two(tap_exponent - kTopExponent);
  const float skip = call.skip == nullptr ? 0.0F : call.skip[h];

  // Lane's place in the fragment: output o + n, inputs i + 2q and i + 2q + 1.
  const int n = lane / 4;
  const int q = lane % 4;
  const int origin = kMirrored ? kTile : args.padded;
  const __half* const lane_base = ((n & 1) != 0 ? odd : even) + origin - n + 2 * q - (n & 1);
  // ldmatrix addresses: rows 0-7 and 8-15, inputs 0-7 and 8-15.
  const __half* const a_base = v + (lane % 16) * stride + (lane / 16) * 8;

  const int tiles = args.padded / kTile;
  for (int round = 0; round * warps < tiles; ++round) {
    // Later tiles cost more (earlier ones when mirrored): every other round runs backwards.
    const int tile = round * warps + (round % 2 == 0 ? warp : warps - 1 - warp);
    if (tile >= tiles) continue;
    const int o = tile * kTile;
    const int low = kMirrored ? o : max(0, o - args.taps + 1) / kTile * kTile;
    const int high = kMirrored
                         ? min(args.padded, (o + kTile + args.taps - 1 + kTile - 1) / kTile * kTile)
                         : o + kTile;

    float sum[kRowTiles][8][4] = {};
    std::uint32_t b[8][2];
#pragma unroll
    for (int j = 2; j < 8; ++j) load_fragment(b[j], lane_base, o + 8 * j - low);
    for (int i = low; i < high; i += kTile) {
#pragma unroll
      for (int u = 0; u < 4; ++u) {
        load_fragment(b[(0 - 2 * u) & 7], lane_base, o - i - 16 * u);
        load_fragment(b[(1 - 2 * u) & 7], lane_base, o + 8 - i - 16 * u);
#pragma unroll
        for (int m = 0; m < kRowTiles; ++m) {
          std::uint32_t a[4];
          load_matrices(a, shared_address(a_base + 16 * m * stride + i + 16 * u));
#pragma unroll
          for (int j = 0; j < 8; ++j) multiply_add(sum[m][j], a, b[(j - 2 * u) & 7]);
        }
      }
    }

#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int r = 16 * m + 8 * half + n;
        const float row_factor = row_scale[r];
#pragma unroll
        for (int group = 0; group < 2; ++group) {  // 32 columns each
          float value[4][2];
#pragma unroll
          for (int j = 0; j < 4; ++j) {
            const int column = o + 32 * group + 8 * j + 2 * q;
            const float2 in =
                __half22float2(*reinterpret_cast<const __half2*>(v + r * stride + column));
            // The skip stays out of the 16-bit sum: it is added here, in float.
            value[j][0] = row_factor * (tap_scale * sum[m][4 * group + j][2 * half] + skip * in.x);
            value[j][1] =
                row_factor * (tap_scale * sum[m][4 * group + j][2 * half + 1] + skip * in.y);
          }
          const std::int64_t b_row = first + r;
          const bool inside = r < rows;
#pragma unroll
          for (int which = 0; which < 2; ++which) {
            if (call.out[which] == nullptr) continue;
            T* const out =
                inside ? call.out[which] + b_row * call.out_stride + std::int64_t{h} * call.length
                       : nullptr;
            const T* factor = call.factor[which];
            if (factor != nullptr) {
              // Rows outside still take part in the shuffles: they read row 0 of the block.
              factor += (inside ? b_row : first) * call.factor_stride[which] + h * call.length;
            }
            store_row<T, kVectors != 0>(value, factor, out, o + 32 * group, call.length, lane);
          }
        }
      }
    }
  }
}

constexpr int round_up(int x, int to) { return (x + to - 1) / to * to; }

template <class T, int kRowTiles, bool kMirrored, int kVectors>
void launch(const ToeplitzArgs<T>& args, cudaStream_t stream) {
  const int tiles = args.padded / kTile;
  const int warps = std::clamp((tiles + 1) / 2, 1, kWarps);
  const std::size_t halves = 16UL * kRowTiles * (args.padded + kPad) +
                             2UL * round_up(coefficient_count(args.padded), 64) + 64;
  const auto kernel = toeplitz_kernel<T, kRowTiles, kMirrored, kVectors>;
  const int bytes = static_cast<int>(2 * halves);
  LONGCONV_CUDA_CHECK(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  const dim3 grid(static_cast<unsigned>(args.call.channels),
                  static_cast<unsigned>((args.call.batch + 16 * kRowTiles - 1) / (16 * kRowTiles)));
  kernel<<<grid, 32 * warps, bytes, stream>>>(args);
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

template <class T, bool kMirrored>
void apply(const ToeplitzArgs<T>& args, cudaStream_t stream) {
  if (args.call.batch == 0 || args.call.channels == 0 || args.call.length == 0) return;
  // A row's result does not depend on the tile height: the same products in the same order.
  const bool tall = args.call.batch > 16 && args.padded <= 1024;
  const auto with_vectors = [&]<int kVectors>() {
    if constexpr (kVectors <= 4) {
      if (tall) return launch<T, 2, kMirrored, kVectors>(args, stream);
    }
    launch<T, 1, kMirrored, kVectors>(args, stream);
  };
  if (!args.call.by_vectors()) return with_vectors.template operator()<0>();
  if (args.padded <= 256) return with_vectors.template operator()<1>();
  if (args.padded <= 512) return with_vectors.template operator()<2>();
  if (args.padded <= 1024) return with_vectors.template operator()<4>();
  with_vectors.template operator()<8>();
}

template <class T>
auto applier(const LongConvArgs& args, Stream stream) {
  return [&args, stream](const ApplyArgs<T>& call, std::int64_t /*c*/, bool mirrored) {
    const ToeplitzArgs<T> toeplitz{call, static_cast<const float*>(args.k),
                                   round_up(call.length, kTile),
                                   static_cast<int>(std::min(args.taps, args.length)), args.taps};
    mirrored ? apply<T, true>(toeplitz, stream) : apply<T, false>(toeplitz, stream);
  };
}

template <class T>
void forward(const LongConvArgs& args, Stream stream) {
  forward_with<T>(args, applier<T>(args, stream));
}

template <class T>
void backward(const LongConvGradArgs& args, Stream stream) {
  backward_with<T>(args, applier<T>(args.inputs, stream));
  if (args.dk != nullptr || args.dskip != nullptr) toeplitz_filter_gradient<T>(args, stream);
}

}  // namespace

void toeplitz_forward_bf16(const LongConvArgs& args, Stream stream) {
  forward<__nv_bfloat16>(args, stream);
}
void toeplitz_forward_f16(const LongConvArgs& args, Stream stream) {
  forward<__half>(args, stream);
}
void toeplitz_backward_bf16(const LongConvGradArgs& args, Stream stream) {
  backward<__nv_bfloat16>(args, stream);
}
void toeplitz_backward_f16(const LongConvGradArgs& args, Stream stream) {
  backward<__half>(args, stream);
}

}  // namespace longconv::kernels::cuda
