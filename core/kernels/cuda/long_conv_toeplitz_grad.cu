// dk[d] = sum_b sum_t dw[b,t] v[b,t-d] and dskip = sum_b sum_t dw[b,t] v[b,t], with v = g_in * u
// and dw = g_out * dy, on tensor cores.
//
// The product P[s,t] = sum_b v[b,s] dw[b,t] has the batch as its inner dimension; dk sums it along
// diagonals. All 16x8 tiles of P with the same t0 - s0 go into one set of float accumulators, whose
// 23 diagonals are summed at the end, so nothing L x L exists. A block owns one channel (or 960
// taps of it) and walks the batch 16 rows at a time: no atomics, no partial sums in memory, and a
// fixed order of additions.
//
// Each row is scaled by a power of two; dw's scale makes the products' common exponent that of the
// largest row so far, and the accumulators are rescaled (exactly) when a larger one comes.

#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/long_conv_toeplitz.h"
#include "core/kernels/cuda/toeplitz_tile.cuh"

#include <algorithm>
#include <climits>

namespace longconv::kernels::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kRows = 16;       // batch rows of a pass: the product's inner dimension
constexpr int kOffsets = 128;   // values of (t0 - s0) / 8 of a block: 16 a warp
constexpr int kStride = 120;    // offsets from one block to the next; the overlap completes sums
constexpr int kDiagonals = 23;  // of a 16x8 tile
constexpr int kPad = 8;         // halves after each row, against bank conflicts
constexpr int kAhead = 64;      // zeros after each row of dw: tiles that reach past the end

template <class T>
struct GradArgs {
  const T* u;
  const T* gate_in;
  const T* dy;
  const T* gate_out;
  float* dk;     // [H, K] or nullptr
  float* dskip;  // [H] or nullptr
  std::int64_t u_stride;
  std::int64_t gate_in_stride;
  std::int64_t dy_stride;
  std::int64_t gate_out_stride;
  std::int64_t batch;
  std::int64_t taps;  // K, as allocated
  int length;
  int padded;  // to a multiple of 64
};

/// sum_t x[t] y[t] over a row, in every lane; x is read anew, vector by vector, to save registers.
template <class T, int kVectors>
__device__ float row_dot(const ProductRow<T>& x_row, const RawRow<T, kVectors>& y,
                         const ProductRow<T>& y_row, int length, int lane) {
  float sum = 0.0F;
  if constexpr (kVectors == 0) {
    for (int t = lane; t < length; t += 32) sum = fmaf(x_row[t], y_row[t], sum);
  } else {
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      const int skipped = 256 * i;
      if (skipped + 8 * lane >= length) continue;
      RawRow<T, 1> x;
      x.load({x_row.a + skipped, x_row.b == nullptr ? nullptr : x_row.b + skipped},
             length - skipped, lane);
      float a[8];
      float b[8];
      x.products(0, x_row.b != nullptr, a);
      y.products(i, y_row.b != nullptr, b);
#pragma unroll
      for (int j = 0; j < 8; ++j) sum = fmaf(a[j], b[j], sum);
    }
  }
  return warp_sum(sum);
}

template <class T, int kVectors>
__global__ void __launch_bounds__(32 * kWarps, kVectors == 8 ? 1 : 2)
    toeplitz_grad_kernel(const GradArgs<T> args) {
  extern __shared__ __align__(16) unsigned char memory[];
  __shared__ int v_exponent[kRows];
  __shared__ int w_exponent[kRows];
  __shared__ float row_skip[kRows];

  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const std::int64_t h = blockIdx.x;
  const int first_offset = kStride * static_cast<int>(blockIdx.y);
  const int v_stride = args.padded + kPad;
  const int w_stride = args.padded + kAhead + kPad;
  __half* const v = reinterpret_cast<__half*>(memory);
  __half* const w = v + kRows * v_stride;

  for (int i = threadIdx.x; i < kRows * (kAhead + kPad); i += blockDim.x) {
    w[i / (kAhead + kPad) * w_stride + args.padded + i % (kAhead + kPad)] = __float2half_rn(0.0F);
  }

  // Two groups of eight offsets a warp, one near and one far from the diagonal: equal work.
  float sum[2][8][4] = {};
  int exponent = INT_MIN / 2;  // of the accumulators
  float skip = 0.0F;           // of dskip, in thread 0

  for (std::int64_t first = 0; first < args.batch; first += kRows) {
    __syncthreads();  // the rows of the pass before are no longer read
    const auto row_v = [&](int r) {
      const std::int64_t b = first + r;
      return ProductRow<T>{args.u + b * args.u_stride + h * args.length,
                           args.gate_in == nullptr
                               ? nullptr
                               : args.gate_in + b * args.gate_in_stride + h * args.length};
    };
    const auto row_w = [&](int r) {
      const std::int64_t b = first + r;
      return ProductRow<T>{args.dy + b * args.dy_stride + h * args.length,
                           args.gate_out == nullptr
                               ? nullptr
                               : args.gate_out + b * args.gate_out_stride + h * args.length};
    };
    for (int r = warp; r < kRows; r += kWarps) {
      if (first + r < args.batch) {
        const ProductRow<T> v_row = row_v(r);
        const ProductRow<T> w_row = row_w(r);
        RawRow<T, kVectors> raw;
        raw.load(v_row, args.length, lane);
        const int ev = row_exponent(raw.amax(v_row, args.length, lane));
        raw.store(v_row, power_of_two(kTopExponent - ev), args.length, args.padded,
                  v + r * v_stride, lane);
        raw.load(w_row, args.length, lane);
        const int ew = row_exponent(raw.amax(w_row, args.length, lane));
        const float dot = args.dskip == nullptr
                              ? 0.0F
                              : row_dot<T, kVectors>(v_row, raw, w_row, args.length, lane);
        if (lane == 0) {
          v_exponent[r] = ev;
          w_exponent[r] = ew;
          row_skip[r] = dot;
        }
      } else {
        zero_row(v + r * v_stride, args.padded, lane);
        zero_row(w + r * w_stride, args.padded, lane);
        if (lane == 0) {
          v_exponent[r] = INT_MIN / 4;
          w_exponent[r] = INT_MIN / 4;
          row_skip[r] = 0.0F;
        }
      }
    }
    __syncthreads();
    int largest = exponent;
    for (int r = 0; r < kRows; ++r) largest = max(largest, v_exponent[r] + w_exponent[r]);
    if (largest != exponent) {
      const float rescale = power_of_two(exponent - largest);
#pragma unroll
      for (int g = 0; g < 2; ++g) {
#pragma unroll
        for (int j = 0; j < 8; ++j) {
#pragma unroll
          for (int i = 0; i < 4; ++i) sum[g][j][i] *= rescale;
        }
      }
      exponent = largest;
    }
    for (int r = warp; r < kRows; r += kWarps) {
      if (first + r >= args.batch) continue;
      // v is scaled by 2^(top - ev); with this, v w is scaled by 2^(2 top - exponent) in every row.
      const float scale = power_of_two(kTopExponent - exponent + v_exponent[r]);
      RawRow<T, kVectors> raw;  // the second read comes from L2
      raw.load(row_w(r), args.length, lane);
      raw.store(row_w(r), scale, args.length, args.padded, w + r * w_stride, lane);
    }
    if (threadIdx.x == 0) {
      for (int r = 0; r < kRows; ++r) skip += row_skip[r];
    }
    __syncthreads();

    // ldmatrix addresses. a: s 0-7 | 8-15 within b 0-7 | 8-15; b: b 0-7 | 8-15 within t 0-7 | 8-15.
    const __half* const a_base = v + (lane / 16 * 8 + lane % 8) * v_stride + (lane / 8) % 2 * 8;
    const __half* const b_base = w + ((lane / 8) % 2 * 8 + lane % 8) * w_stride + lane / 16 * 8;
#pragma unroll
    for (int g = 0; g < 2; ++g) {
      const int offset = 8 * (first_offset + 8 * (g == 0 ? warp : 2 * kWarps - 1 - warp));
      if (offset >= args.padded) continue;
      std::uint32_t b[8][2];
      const auto load_pair = [&](int slot, int t) {
        std::uint32_t words[4];
        load_matrices_transposed(words, shared_address(b_base + t));
        b[slot][0] = words[0];
        b[slot][1] = words[1];
        b[slot + 1][0] = words[2];
        b[slot + 1][1] = words[3];
      };
      load_pair(0, offset);
      load_pair(2, offset + 16);
      load_pair(4, offset + 32);
      for (int s = 0; s + offset < args.padded; s += 64) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          load_pair((6 + 2 * i) & 7, offset + s + 16 * i + 48);
          std::uint32_t a[4];
          load_matrices_transposed(a, shared_address(a_base + s + 16 * i));
#pragma unroll
          for (int j = 0; j < 8; ++j) multiply_add(sum[g][j], a, b[(j + 2 * i) & 7]);
        }
      }
    }
  }
  if (threadIdx.x == 0 && args.dskip != nullptr && blockIdx.y == 0) args.dskip[h] = skip;
  if (args.dk == nullptr) return;

  // Diagonals: tile by tile through shared memory, each summed in a fixed order.
  __syncthreads();
  float* const diagonal = reinterpret_cast<float*>(memory);                // [kOffsets][kDiagonals]
  float* const tile = diagonal + kOffsets * kDiagonals + warp * (16 * 9);  // 16 x 8, rows of 9
  const int n = lane / 4;
  const int q = lane % 4;
#pragma unroll
  for (int g = 0; g < 2; ++g) {
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      tile[n * 9 + 2 * q] = sum[g][j][0];
      tile[n * 9 + 2 * q + 1] = sum[g][j][1];
      tile[(n + 8) * 9 + 2 * q] = sum[g][j][2];
      tile[(n + 8) * 9 + 2 * q + 1] = sum[g][j][3];
      __syncwarp();
      if (lane < kDiagonals) {
        // Diagonal e holds t - s = e - 15.
        float total = 0.0F;
        for (int t = 0; t < 8; ++t) {
          const int s = t + 15 - lane;
          if (s >= 0 && s < 16) total += tile[s * 9 + t];
        }
        const int slot = 8 * (g == 0 ? warp : 2 * kWarps - 1 - warp) + j;
        diagonal[slot * kDiagonals + lane] = total;
      }
      __syncwarp();
    }
  }
  __syncthreads();
  const int begin = 8 * first_offset;
  const bool last = blockIdx.y + 1 == gridDim.y;
  const int end = last ? args.length : begin + 8 * kStride;
  // Products carry 2^(2 top - exponent).
  const int unscale = exponent - 2 * kTopExponent;
  const float low = power_of_two(unscale / 2);
  const float high = power_of_two(unscale - unscale / 2);
  for (int d = begin + static_cast<int>(threadIdx.x); d < end && d < args.taps; d += blockDim.x) {
    float total = 0.0F;
    for (int slot = max(0, (d - begin) / 8 - 1); slot < kOffsets; ++slot) {
      const int e = d - begin - 8 * slot + 15;
      if (e < 0) break;
      if (e < kDiagonals) total += diagonal[slot * kDiagonals + e];
    }
    args.dk[h * args.taps + d] = total * low * high;
  }
  if (last) {  // taps that no output sees
    for (std::int64_t d = args.length + threadIdx.x; d < args.taps; d += blockDim.x) {
      args.dk[h * args.taps + d] = 0.0F;
    }
  }
}

template <class T, int kVectors>
void launch(const GradArgs<T>& args, std::int64_t channels, cudaStream_t stream) {
  const auto kernel = toeplitz_grad_kernel<T, kVectors>;
  const int rows = kRows * 2 * (2 * args.padded + kAhead + 2 * kPad);
  const int sums = static_cast<int>(sizeof(float)) * (kOffsets * kDiagonals + kWarps * 16 * 9);
  const int bytes = std::max(rows, sums);
  LONGCONV_CUDA_CHECK(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  const int offsets = args.padded / 8;
  const int groups = offsets <= kOffsets ? 1 : 1 + (offsets - kOffsets + kStride - 1) / kStride;
  const dim3 grid(static_cast<unsigned>(channels), static_cast<unsigned>(groups));
  kernel<<<grid, 32 * kWarps, bytes, stream>>>(args);
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

}  // namespace

template <class T>
void toeplitz_filter_gradient(const LongConvGradArgs& args, Stream stream) {
  const LongConvArgs& in = args.inputs;
  GradArgs<T> call{};
  call.u = static_cast<const T*>(in.u);
  call.gate_in = static_cast<const T*>(in.gate_in);
  call.dy = static_cast<const T*>(args.dy);
  call.gate_out = static_cast<const T*>(in.gate_out);
  call.dk = static_cast<float*>(args.dk);
  call.dskip = static_cast<float*>(args.dskip);
  call.u_stride = in.u_batch_stride;
  call.gate_in_stride = in.gate_in_batch_stride;
  call.dy_stride = in.channels * in.length;
  call.gate_out_stride = in.gate_out_batch_stride;
  call.batch = in.batch;
  call.taps = in.taps;
  call.length = static_cast<int>(in.length);
  call.padded = (call.length + 63) / 64 * 64;
  if (in.channels == 0) return;
  const bool aligned = in.length % 8 == 0 && by_vectors(call.u, call.u_stride) &&
                       by_vectors(call.gate_in, call.gate_in_stride) &&
                       by_vectors(call.dy, call.dy_stride) &&
                       by_vectors(call.gate_out, call.gate_out_stride);
  if (!aligned) return launch<T, 0>(call, in.channels, stream);
  if (call.padded <= 256) return launch<T, 1>(call, in.channels, stream);
  if (call.padded <= 512) return launch<T, 2>(call, in.channels, stream);
  if (call.padded <= 1024) return launch<T, 4>(call, in.channels, stream);
  launch<T, 8>(call, in.channels, stream);
}

template void toeplitz_filter_gradient<__nv_bfloat16>(const LongConvGradArgs&, Stream);
template void toeplitz_filter_gradient<__half>(const LongConvGradArgs&, Stream);

}  // namespace longconv::kernels::cuda
