// Filters and their spectra in float32: taps -> spectrum before a ring kernel, gradient spectrum ->
// dk after one. H rows only, so this costs little beside the B H rows of the convolution itself.
//
// The filter as a polynomial modulo x^M = i: tap s is k[s] x^s, and a reverse tap of lag -m, since
// x^-m = -i x^(M-m), is -i r[m] x^(M-m). So one complex row holds a filter of either kind, and the
// real part of the product is the two-sided convolution. A circular filter of period L <= M is the
// two-sided one with r[m] = k[L-m]. Backward, lags -m of the correlation come out in imaginary
// parts.
//
// A warp transforms a ring: 32 points a lane in registers, a transposition in shared memory, 32
// points again.

#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/elements.cuh"
#include "core/kernels/cuda/filter_taps.cuh"
#include "core/kernels/cuda/long_conv_ring_filter.h"
#include "core/kernels/cuda/warp_ring.cuh"

#include <cuda_runtime.h>

#include <algorithm>

namespace longconv::kernels::cuda {
namespace {

constexpr int kWarps = 8;

/// e^{2 pi i n1 (k1 + 1/4) / R} at [k1][n1].
__device__ inline void make_outer(float2* outer, int r) {
  for (int i = static_cast<int>(threadIdx.x); i < r * r; i += blockDim.x) {
    outer[i] = root(plan::outer_phase(r, i % r, i / r));
  }
}

struct SpectrumArgs {
  FilterRows filter;
  void* spectrum;
  float* unscale;     // halves only
  std::int64_t rows;  // C H
  int outer;
};

/// A power of two that brings the sum of magnitudes, which bounds the spectrum, to [2^5, 2^6).
__device__ inline float spectrum_scale(float magnitude) {
  if (!(magnitude > 0.0F) || isinf(magnitude)) return 1.0F;
  return power_of_two(5 - (static_cast<int>(__float_as_uint(magnitude) >> 23) - 127));
}

/// A warp makes a ring. Up to kAlone rings it takes its channel's taps for itself; above, a block's
/// eight rings share the reading of them.
constexpr int kAlone = 4;
template <bool kFloat>
__global__ void __launch_bounds__(32 * kWarps, 2) spectrum_kernel(const SpectrumArgs args) {
  extern __shared__ float2 shared[];
  float2* const outer = shared;
  const int r = args.outer;
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  const int warp = thread / 32;
  const int warps = static_cast<int>(blockDim.x) / 32;
  float2* const tiles = outer + r * r;
  float2* const tile = tiles + warp * kTile;
  __shared__ float sums[kWarps];

  const std::int64_t ring = static_cast<std::int64_t>(blockIdx.x) * warps + warp;
  const std::int64_t h = ring / r;
  const int k1 = static_cast<int>(ring - h * r);
  const bool inside = h < args.rows;
  const FilterTaps taps = args.filter.row(inside ? h : 0);
  const int points = r * plan::kRing;
  make_outer(outer, r);
  __syncthreads();

  const bool real = taps.mode == ConvMode::causal;
  const int last = real ? taps.taps : points;
  float magnitude = 0.0F;
  float2 x[32] = {};
  if (r <= kAlone) {
    for (int n1 = 0; n1 * plan::kRing < last; ++n1) {
      const float2 w = outer[k1 * r + n1];
#pragma unroll
      for (int i = 0; i < 32; ++i) {
        const float2 y = ring_point(taps, points, n1 * plan::kRing + plan::kSide * i + lane);
        magnitude += fabsf(y.x) + fabsf(y.y);
        const float2 z = product(y, w);
        x[i].x += z.x;
        x[i].y += z.y;
      }
    }
    magnitude = warp_sum(magnitude);
  } else {
    // A column n2 at a time for all eight rings.
    for (int n2 = thread; n2 < plan::kRing; n2 += 32 * kWarps) {
      float2 sum[kWarps] = {};
      for (int begin = 0; begin < r; begin += 8) {
        float2 y[8];
#pragma unroll
        for (int j = 0; j < 8; ++j) {
          y[j] = ring_point(taps, points, (begin + j) * plan::kRing + n2);
        }
#pragma unroll
        for (int j = 0; j < 8; ++j) {
          magnitude += fabsf(y[j].x) + fabsf(y[j].y);
#pragma unroll
          for (int i = 0; i < kWarps; ++i) {
            const float2 w = outer[(k1 - warp + i) * r + begin + j];
            sum[i].x = fmaf(y[j].x, w.x, sum[i].x);
            sum[i].y = fmaf(y[j].x, w.y, sum[i].y);
            if (!real) {
              sum[i].x = fmaf(-y[j].y, w.y, sum[i].x);
              sum[i].y = fmaf(y[j].y, w.x, sum[i].y);
            }
          }
        }
      }
#pragma unroll
      for (int i = 0; i < kWarps; ++i) {
        tiles[i * kTile + n2 / plan::kSide * kTilePitch + n2 % plan::kSide] = sum[i];
      }
    }
    magnitude = warp_sum(magnitude);
    if (lane == 0) sums[warp] = magnitude;
    __syncthreads();
    magnitude = 0.0F;
    for (const float part : sums) magnitude += part;
#pragma unroll
    for (int i = 0; i < 32; ++i) x[i] = tile[i * kTilePitch + lane];
  }
  if (!inside) return;
  twist_ring<false>(x, r, k1, lane);
  warp_forward(x, tile, lane);
  // The lane is k2 now, x[k3].
  if constexpr (kFloat) {
    float2* const out = static_cast<float2*>(args.spectrum) + (h * r + k1) * plan::kRing + lane;
    const float scale = 1.0F / static_cast<float>(points);
#pragma unroll
    for (int k3 = 0; k3 < plan::kSide; ++k3) {
      out[plan::kSide * k3] = make_float2(x[k3].x * scale, x[k3].y * scale);
    }
  } else {
    const float scale = spectrum_scale(magnitude);
    if (lane == 0 && k1 == 0) args.unscale[h] = 1.0F / scale;
    const int beta = lane >> 4;
    const int rh = (lane >> 3) & 1;
    const int g = lane & 7;
    uint2* const out = static_cast<uint2*>(args.spectrum) + (h * r + k1) * 512;
#pragma unroll
    for (int eps = 0; eps < 2; ++eps) {
#pragma unroll
      for (int nt = 0; nt < 2; ++nt) {
#pragma unroll
        for (int q = 0; q < 4; ++q) {
          const int k3 = 2 * (8 * nt + 2 * q) + eps;
          const float2 low = x[k3];
          const float2 high = x[k3 + 2];
          const int vector = 4 * beta + 2 * eps + nt;
          out[((vector * 32) + 4 * g + q) * 2 + rh] = make_uint2(
              two_halves(low.x * scale, high.x * scale), two_halves(low.y * scale, high.y * scale));
        }
      }
    }
  }
}

struct GradientArgs {
  float2* spectrum;  // [splits][H][R][8][2][2][32]; used up: the rings in time replace it
  float* dskip;      // or nullptr
  int splits;
  float* dk;  // or nullptr
  float* dk_reverse;
  std::int64_t rows;  // C H
  std::int64_t taps;
  std::int64_t reverse_taps;
  int length;
  int outer;
  ConvMode mode;
};

/// A block makes the taps of one channel, or of as many as its warps have rings.
__global__ void __launch_bounds__(32 * kWarps, 2) gradient_kernel(const GradientArgs args) {
  extern __shared__ float2 shared[];
  float2* const outer = shared;
  const int r = args.outer;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int warps = static_cast<int>(blockDim.x) / 32;
  float2* const tile = outer + r * r + warp * kTile;
  const int here = max(1, warps / r);  // channels
  const std::int64_t first_channel = static_cast<std::int64_t>(blockIdx.x) * here;
  const int channels =
      static_cast<int>(min(static_cast<std::int64_t>(here), args.rows - first_channel));
  float2* const all_rings = args.spectrum + first_channel * r * plan::kRing;
  const std::int64_t stride = args.rows * r * plan::kRing;
  make_outer(outer, r);
  __syncthreads();

  for (int i = warp; i < channels * r; i += warps) {
    float2* const ring = all_rings + i * plan::kRing;
    const int k1 = i % r;
    float2 x[32] = {};
    for (int split = 0; split < args.splits; ++split) {
      const float2* const part = ring + split * stride;
#pragma unroll
      for (int k3 = 0; k3 < 32; ++k3) {
        const float2 y = part[plan::gradient_place(lane, k3)];
        x[k3].x += y.x;
        x[k3].y += y.y;
      }
    }
    warp_inverse(x, tile, lane);
    __syncwarp();
    twist_ring<true>(x, r, k1, lane);
#pragma unroll
    for (int j = 0; j < 32; ++j) ring[plan::kSide * j + lane] = x[j];
  }
  __syncthreads();

  // Outer stage: coefficient n = 1024 n1 + n2 is a sum over k1. Its real part is lag n, its
  // imaginary part, with the sign turned, lag n - M.
  const int points = r * plan::kRing;
  const int length = args.length;
  for (int c = 0; c < channels; ++c) {
    const std::int64_t h = first_channel + c;
    const float2* const rings = all_rings + c * r * plan::kRing;
    const auto coefficients = [&](const auto& use) {
      for (int n2 = static_cast<int>(threadIdx.x); n2 < plan::kRing; n2 += blockDim.x) {
        if (r == plan::kSide) {  // 32 points: as in the inner stages, and n1's quarter of a turn
          float2 x[plan::kSide];
#pragma unroll
          for (int k1 = 0; k1 < plan::kSide; ++k1) x[k1] = rings[k1 * plan::kRing + n2];
          transform<true>(x);
#pragma unroll
          for (int n1 = 0; n1 < plan::kSide; ++n1) {
            use(n1 * plan::kRing + n2, turned<true>(x[n1], outer[n1]));
          }
          continue;
        }
        for (int first = 0; first < r; first += 8) {
          float2 sum[8] = {};
          for (int k1 = 0; k1 < r; ++k1) {
            const float2 x = rings[k1 * plan::kRing + n2];
#pragma unroll
            for (int i = 0; i < 8; ++i) {
              const float2 y = turned<true>(x, outer[k1 * r + min(first + i, r - 1)]);
              sum[i].x += y.x;
              sum[i].y += y.y;
            }
          }
#pragma unroll
          for (int i = 0; i < 8; ++i) {
            if (first + i < r) use((first + i) * plan::kRing + n2, sum[i]);
          }
        }
      }
    };
    float* const dk = args.dk == nullptr ? nullptr : args.dk + h * args.taps;
    float* const dkr =
        args.dk_reverse == nullptr ? nullptr : args.dk_reverse + h * args.reverse_taps;
    const int first_lag = args.mode == ConvMode::bidirectional ? 1 : 0;
    coefficients([&](int n, float2 x) {
      if (n == 0 && args.dskip != nullptr)
        args.dskip[h] = x.x;  // the skip is one more tap of lag 0
      if (dk != nullptr && n < length && n < args.taps) dk[n] = x.x;
      if (dkr == nullptr) return;
      const int m = n == 0 ? 0 : points - n;
      if (m < length && m >= first_lag && m - first_lag < args.reverse_taps) {
        dkr[m - first_lag] = m == 0 ? x.x : -x.y;
      }
    });
    if (args.mode == ConvMode::circular && dk != nullptr) {
      __syncthreads();  // tap j is lag j and lag j - L
      coefficients([&](int n, float2 x) {
        const int j = n - (points - length);
        if (j > 0 && j < args.taps) dk[j] -= x.y;
      });
    }
    // Taps that reach no output.
    for (std::int64_t j = length + threadIdx.x; dk != nullptr && j < args.taps; j += blockDim.x) {
      dk[j] = 0.0F;
    }
    for (std::int64_t j = length - first_lag + threadIdx.x; dkr != nullptr && j < args.reverse_taps;
         j += blockDim.x) {
      dkr[j] = 0.0F;
    }
  }
}

int shared_bytes(int outer, int warps) {
  return static_cast<int>(sizeof(float2)) * (outer * outer + warps * kTile);
}

}  // namespace

void ring_filter_spectrum(const LongConvArgs& args, void* spectrum, Stream stream) {
  const std::int64_t rows = args.filters * args.channels;
  if (rows == 0) return;
  SpectrumArgs call{FilterRows(args), spectrum, nullptr, rows, plan::outer_for(args.length)};
  const bool wide = args.dtype == Dtype::f32;
  if (!wide) call.unscale = ring_unscale(args, spectrum);
  // Small blocks spread few rings over the device.
  const int warps = call.outer <= kAlone ? 2 : kWarps;
  const int bytes = shared_bytes(call.outer, warps);
  const auto kernel = wide ? spectrum_kernel<true> : spectrum_kernel<false>;
  LONGCONV_CUDA_CHECK(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  const std::int64_t blocks = (rows * call.outer + warps - 1) / warps;
  kernel<<<static_cast<unsigned>(blocks), 32 * warps, bytes, stream>>>(call);
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

void ring_filter_gradient(const LongConvGradArgs& args, const RingGradient& gradient,
                          Stream stream) {
  const LongConvArgs& in = args.inputs;
  const std::int64_t rows = in.filters * in.channels;
  if (rows == 0) return;
  GradientArgs call{};
  call.spectrum = gradient.spectrum;
  call.splits = gradient.splits;
  call.dskip = static_cast<float*>(args.dskip);
  call.dk = static_cast<float*>(args.dk);
  call.dk_reverse = has_reverse(in.mode) ? static_cast<float*>(args.dk_reverse) : nullptr;
  call.taps = in.taps;
  call.reverse_taps = in.reverse_taps;
  call.length = static_cast<int>(in.length);
  call.outer = plan::outer_for(in.length);
  call.mode = in.mode;
  call.rows = rows;
  const int warps = call.outer <= kAlone ? std::max(2, call.outer) : kWarps;
  const int bytes = shared_bytes(call.outer, warps);
  LONGCONV_CUDA_CHECK(
      cudaFuncSetAttribute(gradient_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  const std::int64_t here = std::max(1, warps / call.outer);
  gradient_kernel<<<static_cast<unsigned>((rows + here - 1) / here), 32 * warps, bytes, stream>>>(
      call);
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

}  // namespace longconv::kernels::cuda
