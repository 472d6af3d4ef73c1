// The filter's gradient in frequency, sum_b DW_b conj(V_b) / M, through the ring transform; dskip,
// sum_b sum_t dw v; and to R = 8 the input's and the gates' gradients from the same spectra.
//
// A block owns one channel and up to eight of its rings, a warp one of them, whose sum stays in the
// warp's registers, in float, over the whole batch: no partial sums in memory, no atomics. Where M
// has fewer than eight rings, groups of warps take batch rows in turn and are added at the end, in
// order. Batch rows go in `splits` parts when channels alone do not fill the device.
#pragma once

#include "core/kernels/cuda/long_conv_ring_filter.h"
#include "core/kernels/cuda/ring_row.cuh"

#include <algorithm>
#include <type_traits>

namespace longconv::kernels::cuda {

template <class T>
struct BackwardArgs {
  ApplyArgs<T> dv;     ///< of dw: out du and dgate_in
  ApplyArgs<T> dgate;  ///< of v: out dgate_out
  RingGradient out;
  const uint4* spectrum;
  const float* unscale;
  bool wants_lag0;
};

template <class T, int R, bool kGated>
struct BackwardShape {
  using Shape = RingShape<R>;
  static constexpr bool kApplies = R <= 8;      // the block has all rings
  static constexpr int kWarps = Shape::kLocal;  // of a group, a ring each
  static constexpr int kGroups = 8 / kWarps;
  static constexpr int kThreads = 256;
  static constexpr int kTasksPerWarp = Shape::kTasks / kWarps;
  using Transform = RingTransform<R, Shape::kLocal, kApplies, true>;
  using Outer = OuterMatrices<R, 1>;
  using Stage = RowStage<T, R, kGated, Access::whole, kTasksPerWarp>;
  // Words of one signal's rings; bytes of shared memory from the block's start.
  static constexpr int kSignalWords = Shape::kLocal * Shape::kRing;
  static constexpr int kOuter = 16 * Transform::kVectors;
  static constexpr int kRings = kOuter + 4 * Outer::kWords;
  static constexpr int kStage = kRings + 4 * kGroups * 2 * kSignalWords;
  static constexpr int kBytes = kStage + 2 * 16 * 8 * Stage::kWarpVectors;
  static_assert(kGroups == 1 || (kGroups - 1) * kWarps * 64 * 32 <= kGroups * 2 * kSignalWords,
                "the groups' sums meet where the rings were");
};

// Rows are brought to a root mean square of 2^-3, so that the product of two coherent spectra
// (sqrt(M) rms each) stays inside fp16.
inline constexpr float kCorrelateLevel = 0.125F;

/// Two products w conj(v). fp16 tensors promise half the error of bf16 ones: theirs are not
/// rounded.
struct Products {
  float2 re;
  float2 im;
};
template <class T>
__device__ inline Products products(Word w_re, Word w_im, Word v_re, Word v_im) {
  if constexpr (std::is_same_v<T, __half>) {
    const float2 a = __half22float2(as_half2(w_re));
    const float2 b = __half22float2(as_half2(w_im));
    const float2 c = __half22float2(as_half2(v_re));
    const float2 d = __half22float2(as_half2(v_im));
    return {{fmaf(a.x, c.x, b.x * d.x), fmaf(a.y, c.y, b.y * d.y)},
            {fmaf(b.x, c.x, -a.x * d.x), fmaf(b.y, c.y, -a.y * d.y)}};
  } else {
    twist<true>(w_re, w_im, v_re, v_im);
    return {__half22float2(as_half2(w_re)), __half22float2(as_half2(w_im))};
  }
}

template <class T, int R, bool kGated, Access kAccess, bool kPlain>
__global__ void __launch_bounds__(256, 1) ring_backward_kernel(const BackwardArgs<T> args) {
  const int length = args.dv.length;
  using Shape = RingShape<R>;
  using Here = BackwardShape<T, R, kGated>;
  using Raw = RawTask<T, R, kGated>;
  constexpr int kWarps = Here::kWarps;
  constexpr int kTasks = Here::kTasksPerWarp;
  extern __shared__ __align__(128) unsigned char memory[];
  __shared__ float2 warp_sums[8];
  __shared__ float lag0_sums[8];

  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  const int warp = thread / 32;
  const int group = warp / kWarps;
  const int member = warp % kWarps;
  // The blocks of a channel's subs run side by side and find each other's rows in the L2.
  const std::int64_t h = blockIdx.x / Shape::kSubs;
  const int sub = static_cast<int>(blockIdx.x % Shape::kSubs);
  const int split = static_cast<int>(blockIdx.y);
  const std::int64_t first = args.dv.batch * split / args.out.splits;
  const std::int64_t last = args.dv.batch * (split + 1) / args.out.splits;

  typename Here::Transform transform;
  transform.make(reinterpret_cast<uint4*>(memory), 8 * sub, member, thread, Here::kThreads);
  typename Here::Outer outer;
  outer.make(reinterpret_cast<Word*>(memory + Here::kOuter), sub, thread, Here::kThreads);
  __syncthreads();

  Word* const all_rings = reinterpret_cast<Word*>(memory + Here::kRings);
  Word* const v_rings = all_rings + group * 2 * Here::kSignalWords;
  Word* const w_rings = v_rings + Here::kSignalWords;
  float sum_re[16][2] = {};  // [spectrum word][low, high]
  float sum_im[16][2] = {};
  float lag0 = 0.0F;
  const float filter_unscale = args.unscale[h] / kCorrelateLevel;

  using Stage = RowStage<T, R, kGated, kAccess, kTasks>;
  uint4* const staged = reinterpret_cast<uint4*>(memory + Here::kStage);
  Stage stage_v{staged + warp * Stage::kWarpVectors, lane};
  Stage stage_w{staged + (8 + warp) * Stage::kWarpVectors, lane};
  TaskPlace<R> place[kTasks];
  for (int i = 0; i < kTasks; ++i) place[i].set(member + i * kWarps, lane);
  const auto start = [&](Stage& stage, const Signal<T>& signal, std::int64_t b) {
    stage.start(signal.a + b * signal.a_stride + h * length,
                signal.b == nullptr ? nullptr : signal.b + b * signal.b_stride + h * length, member,
                kWarps, length);
  };
  const auto squares = [&](float pre_v, float pre_w) {
    float2 sum = {0.0F, 0.0F};
#pragma unroll
    for (int i = 0; i < kTasks; ++i) {
      sum.x += stage_v.task(i, place[i], length).sum_of_squares(pre_v);
      sum.y += stage_w.task(i, place[i], length).sum_of_squares(pre_w);
    }
    sum.x = warp_sum(sum.x);
    sum.y = warp_sum(sum.y);
    if constexpr (kWarps == 1) return sum;
    if (lane == 0) warp_sums[warp] = sum;
    group_barrier<kWarps>(group + 1);
    float2 total = {0.0F, 0.0F};
#pragma unroll
    for (int i = 0; i < kWarps; ++i) {
      total.x += warp_sums[group * kWarps + i].x;
      total.y += warp_sums[group * kWarps + i].y;
    }
    return total;
  };

  if (first + group < last) {
    start(stage_v, args.dgate.in, first + group);
    start(stage_w, args.dv.in, first + group);
  }
  for (std::int64_t b = first + group; b < last; b += Here::kGroups) {
    Stage::wait();
    float2 energy = squares(1.0F, 1.0F);
    const float pre_v = pre_scale(energy.x);
    const float pre_w = pre_scale(energy.y);
    if (pre_v != 1.0F || pre_w != 1.0F) {  // the whole group comes here, or none of it
      group_barrier<kWarps>(group + 1);
      energy = squares(pre_v, pre_w);
    }
    const RowScale scale_v = row_scale(energy.x, Shape::kPoints, pre_v);
    const RowScale scale_w = row_scale(energy.y, Shape::kPoints, pre_w);
#pragma unroll(R <= 8 ? kTasks : 1)
    for (int i = 0; i < kTasks; ++i) {
      const int task = member + i * kWarps;
      const Raw v = stage_v.task(i, place[i], length);
      const Raw w = stage_w.task(i, place[i], length);
      outer_forward(v, scale_v.scale * kCorrelateLevel, outer, shared_address(v_rings), task, lane);
      outer_forward(w, scale_w.scale * kCorrelateLevel, outer, shared_address(w_rings), task, lane);
      if (args.wants_lag0 && sub == 0) {
#pragma unroll
        for (int j = 0; j < 4 * Raw::kVectors; ++j) {
          const float2 x = v.pair(j / 4, j % 4);
          const float2 y = w.pair(j / 4, j % 4);
          lag0 = fmaf(x.x, y.x, lag0);
          lag0 = fmaf(x.y, y.y, lag0);
        }
      }
    }
    if (b + Here::kGroups < last) {
      start(stage_v, args.dgate.in, b + Here::kGroups);
      start(stage_w, args.dv.in, b + Here::kGroups);
    }
    group_barrier<kWarps>(group + 1);

    RingSpectrum v;
    RingSpectrum w;
    {
      RingTime x;
      load_ring<R>(v_rings, member, lane, x);
      transform.forward(member, x, v);
      load_ring<R>(w_rings, member, lane, x);
      transform.forward(member, x, w);
    }
    const float unscale = (scale_v.unscale / kCorrelateLevel) * (scale_w.unscale / kCorrelateLevel);
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      const Products p = products<T>((&w.re[0][0][0][0])[i], (&w.im[0][0][0][0])[i],
                                     (&v.re[0][0][0][0])[i], (&v.im[0][0][0][0])[i]);
      sum_re[i][0] = fmaf(p.re.x, unscale, sum_re[i][0]);
      sum_re[i][1] = fmaf(p.re.y, unscale, sum_re[i][1]);
      sum_im[i][0] = fmaf(p.im.x, unscale, sum_im[i][0]);
      sum_im[i][1] = fmaf(p.im.y, unscale, sum_im[i][1]);
    }
    if constexpr (Here::kApplies) {
      const bool wants_dv = args.dv.out[0] != nullptr;
      const bool wants_dgate = args.dgate.out[0] != nullptr;
      const uint4* const spectrum = args.spectrum + (h * R + member) * 256 + lane;
      const auto back = [&](RingSpectrum& z, Word flip, Word* rings) {
        RingTime x;
        multiply_spectrum(spectrum, flip, z);
        transform.inverse(member, z, x);
        store_ring<R>(rings, member, lane, x);
      };
      if (wants_dv) back(w, 0x80008000U, w_rings);
      if (wants_dgate) back(v, 0U, v_rings);
      if (wants_dv || wants_dgate) group_barrier<kWarps>(group + 1);
      const auto write = [&](const ApplyArgs<T>& call, float scale, Word* rings) {
        const RowOutputs<T> out(call, static_cast<int>(h), static_cast<int>(b), scale);
#pragma unroll
        for (int i = 0; i < kTasks; ++i) {
          write_task<T, R, kAccess, kPlain, 2>(outer, shared_address(rings), member + i * kWarps,
                                               lane, place[i], length, out);
        }
      };
      if (wants_dv) write(args.dv, scale_w.unscale * filter_unscale, w_rings);
      if (wants_dgate) write(args.dgate, scale_v.unscale * filter_unscale, v_rings);
    }
    if constexpr (kWarps == 1) __syncwarp();
  }

  if constexpr (Here::kGroups > 1) {
    float* const meet = reinterpret_cast<float*>(all_rings);
    __syncthreads();
    if (group > 0) {
      float* const mine = meet + ((group - 1) * kWarps + member) * 64 * 32 + lane;
#pragma unroll
      for (int i = 0; i < 16; ++i) {
#pragma unroll
        for (int p = 0; p < 2; ++p) {
          mine[(4 * i + 2 * p) * 32] = sum_re[i][p];
          mine[(4 * i + 2 * p + 1) * 32] = sum_im[i][p];
        }
      }
    }
    __syncthreads();
    if (group == 0) {
      for (int other = 0; other < Here::kGroups - 1; ++other) {
        const float* const its = meet + (other * kWarps + member) * 64 * 32 + lane;
#pragma unroll
        for (int i = 0; i < 16; ++i) {
#pragma unroll
          for (int p = 0; p < 2; ++p) {
            sum_re[i][p] += its[(4 * i + 2 * p) * 32];
            sum_im[i][p] += its[(4 * i + 2 * p + 1) * 32];
          }
        }
      }
    }
  }
  if (group == 0) {
    const std::int64_t ring = (split * args.dv.channels + h) * R + 8 * sub + member;
    float2* const out = args.out.spectrum + ring * plan::kRing + lane;
#pragma unroll
    for (int i = 0; i < 16; ++i) {  // word i = 2 vector + rh
      out[(2 * i) * 32] = make_float2(sum_re[i][0], sum_im[i][0]);
      out[(2 * i + 1) * 32] = make_float2(sum_re[i][1], sum_im[i][1]);
    }
  }
  if (args.wants_lag0 && sub == 0) {
    lag0 = warp_sum(lag0);
    if (lane == 0) lag0_sums[warp] = lag0;
    __syncthreads();
    if (thread == 0) {
      float total = 0.0F;
      for (const float part : lag0_sums) total += part;
      args.out.lag0[split * args.dv.channels + h] = total;
    }
  }
}

template <class T, int R, bool kGated, Access kAccess, bool kPlain = false>
void launch_ring_backward(const BackwardArgs<T>& args, cudaStream_t stream) {
  const auto kernel = ring_backward_kernel<T, R, kGated, kAccess, kPlain>;
  constexpr int kBytes = BackwardShape<T, R, kGated>::kBytes;
  static_assert(kBytes <= kMostSharedBytes);
  LONGCONV_CUDA_CHECK(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes));
  const dim3 grid(static_cast<unsigned>(args.dv.channels * RingShape<R>::kSubs),
                  static_cast<unsigned>(args.out.splits));
  kernel<<<grid, BackwardShape<T, R, kGated>::kThreads, kBytes, stream>>>(args);
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

/// Instantiated where apply_ring is.
template <class T, int R>
void backward_ring(const BackwardArgs<T>& args, cudaStream_t stream) {
  const bool gated = args.dv.in.b != nullptr || args.dgate.in.b != nullptr;
  if (!args.dv.by_vectors() || !args.dgate.by_vectors()) {
    gated ? launch_ring_backward<T, R, true, Access::scalar>(args, stream)
          : launch_ring_backward<T, R, false, Access::scalar>(args, stream);
  } else if (!gated && args.dv.is_plain() && args.dgate.is_plain()) {
    launch_ring_backward<T, R, false, Access::vectors, true>(args, stream);
  } else {
    gated ? launch_ring_backward<T, R, true, Access::vectors>(args, stream)
          : launch_ring_backward<T, R, false, Access::vectors>(args, stream);
  }
}

}  // namespace longconv::kernels::cuda
