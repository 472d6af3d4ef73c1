// y = factor * (filter * v + skip v), v = a b, through the ring transform (core/plan/ring_plan.h):
// the kernel that serves the forward pass, du and the gates' gradients from 513 to 32,768 steps.
//
// A group of warps owns one row at a time, its M complex values in shared memory as R rings:
//
//   load the row, take its root mean square     (registers)
//   outer stage, scaled into fp16               registers -> rings in shared memory
//   each warp its rings: twiddle, two inner stages, filter spectrum, two inner stages, twiddle
//   outer stage, real parts                     rings -> registers -> y
//
// with a barrier of the group between the phases. Several groups share a block and its tables, so
// that while one waits for memory another computes. Row and filter carry powers of two that make
// the root mean square and the sum of magnitudes about 1 and 2^5: then no intermediate leaves
// fp16's range, whatever the row (|V| <= sqrt(M) rms, and the transform keeps the energy).
#pragma once

#include "core/kernels/cuda/ring_input.cuh"
#include "core/kernels/cuda/ring_launch.h"
#include "core/kernels/cuda/ring_output.cuh"
#include "core/kernels/cuda/ring_row.cuh"

#include <algorithm>

namespace longconv::kernels::cuda {

template <int R>
struct RingGroups {
  using Shape = RingShape<R>;
  static constexpr int kTasksPerWarp = R == 32 ? 1 : 2;
  static constexpr int kWarps = Shape::kTasks / kTasksPerWarp;  // of a group
  static constexpr int kRingsPerWarp = R / kWarps;
  static constexpr int kBlockWarps = 16;
  static constexpr int kGroups = kBlockWarps / kWarps;
  static constexpr int kThreads = 32 * kBlockWarps;
};

template <class T>
struct RingArgs {
  ApplyArgs<T> call;
  const uint4* spectrum;  ///< [H][R][8][32] vectors: plan::spectrum_place
  const float* unscale;   ///< [H]: what the spectrum was divided by
  bool mirrored;          ///< apply the filter's transpose: its conjugate in frequency
};

/// Shared memory of a block, in bytes from its start.
template <class T, int R, bool kGated>
struct RingMemory {
  using Groups = RingGroups<R>;
  using Transform = RingTransform<R, R>;
  template <Access kAccess>
  using StageOf = RowStage<T, R, kGated, kGated && R <= 4, kAccess, Groups::kTasksPerWarp,
                           Groups::kWarps>;  // from R = 8 on there is no room for the gate
  using Stage = StageOf<Access::whole>;
  static constexpr int kOuter = 16 * Transform::kVectors;
  static constexpr int kRings = kOuter + 4 * OuterMatrices<R>::kWords;
  static constexpr int kStage =
      (kRings + 4 * Groups::kGroups * R * RingShape<R>::kRing + 127) / 128 * 128;
  static constexpr int kSpectrum = kStage + 16 * Groups::kBlockWarps * Stage::kSlotVectors;
  // Where there is room a warp keeps its ring's spectrum here while the channel lasts.
  static constexpr int kSpectrumBytes = Groups::kBlockWarps * 256 * 16;
  static constexpr bool kKeepsSpectrum =
      Transform::kOwnRing && kSpectrum + kSpectrumBytes <= 226 * 1024;
  static constexpr int kBytes = kSpectrum + (kKeepsSpectrum ? kSpectrumBytes : 0);
};

template <class T, int R, bool kGated, Access kAccess, bool kPlain>
__global__ void __launch_bounds__(RingGroups<R>::kThreads, 1) ring_kernel(const RingArgs<T> args) {
  using Shape = RingShape<R>;
  using Groups = RingGroups<R>;
  using Memory = RingMemory<T, R, kGated>;
  constexpr int kWarps = Groups::kWarps;
  constexpr int kTasks = Groups::kTasksPerWarp;
  extern __shared__ __align__(128) unsigned char memory[];
  __shared__ float warp_sums[RingGroups<R>::kBlockWarps];

  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  const int warp = thread / 32;
  const int group = warp / kWarps;
  const int member = warp % kWarps;

  typename Memory::Transform transform;
  transform.make(reinterpret_cast<uint4*>(memory), 0, thread, Groups::kThreads);
  OuterMatrices<R> outer;
  outer.make(reinterpret_cast<Word*>(memory + Memory::kOuter), thread, Groups::kThreads);
  __syncthreads();

  Word* const rings = reinterpret_cast<Word*>(memory + Memory::kRings) + group * R * Shape::kRing;
  const std::uint32_t rings_address = shared_address(rings);
  const ApplyArgs<T>& call = args.call;
  const Word flip = args.mirrored ? 0x80008000U : 0U;
  const auto group_sum = [&](float x) {
    x = warp_sum(x);
    if constexpr (kWarps == 1) return x;
    if (lane == 0) warp_sums[warp] = x;
    group_barrier<kWarps>(group + 1);
    float total = 0.0F;
#pragma unroll
    for (int i = 0; i < kWarps; ++i) total += warp_sums[group * kWarps + i];
    return total;
  };

  using Stage = typename Memory::template StageOf<kAccess>;
  Stage stage(
      reinterpret_cast<uint4*>(memory + Memory::kStage) + warp * Memory::Stage::kSlotVectors,
      member, lane);
  const auto in_row = MatrixRow<R, 1>::forward(rings_address, member, lane);
  const auto out_row = MatrixRow<R, 1>::inverse(rings_address, member, lane);
  const T* gate = nullptr;
  const auto start = [&](int h, int b) {
    const std::int64_t channel = static_cast<std::int64_t>(h) * call.length;
    gate = kGated ? call.in.b + b * call.in.b_stride + channel : nullptr;
    stage.start(0, call.in.a + b * call.in.a_stride + channel, gate, call.length);
  };
  const auto spectrum_of = [&](int h, int k1) {
    return args.spectrum + (static_cast<std::int64_t>(h) * R + k1) * 256 + lane;
  };
  uint4* const kept = reinterpret_cast<uint4*>(memory + Memory::kSpectrum) + warp * 256 + lane;
  const auto keep_spectrum = [&](int h) {  // each lane fetches what it will read itself
    const uint4* const from = spectrum_of(h, member);
#pragma unroll
    for (int v = 0; v < 8; ++v) {
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
                   :
                   : "r"(shared_address(kept + 32 * v)), "l"(from + 32 * v)
                   : "memory");
    }
  };

  // Each group takes a run of rows, channel by channel.
  const int batch = static_cast<int>(call.batch);
  const std::int64_t rows = call.batch * call.channels;
  const std::int64_t groups = static_cast<std::int64_t>(gridDim.x) * Groups::kGroups;
  const std::int64_t mine = static_cast<std::int64_t>(blockIdx.x) * Groups::kGroups + group;
  const std::int64_t first = rows * mine / groups;
  int left = static_cast<int>(rows * (mine + 1) / groups - first);
  int h = static_cast<int>(first / batch);
  int b = static_cast<int>(first % batch);
  if (left > 0) {
    start(h, b);
    if constexpr (Memory::kKeepsSpectrum) keep_spectrum(h);
  }
  float filter_unscale = left > 0 ? args.unscale[h] : 1.0F;
  float skip = left > 0 ? skip_of(call, h) : 0.0F;
  for (; left > 0; --left) {
    const bool last_of_channel = b + 1 == batch;
    const int next_h = last_of_channel ? h + 1 : h;
    const int next_b = last_of_channel ? 0 : b + 1;
    typename Stage::Gates gates;
    gates.load(stage, gate, call.length);
    stage.wait();
    float squares = 0.0F;
#pragma unroll
    for (int i = 0; i < kTasks; ++i) {
      squares += stage.sum_of_squares(true, 0, i, gates, 1.0F);
    }
    squares = group_sum(squares);
    const float pre = pre_scale(squares);
    if (pre != 1.0F) {  // the whole group comes here, or none of it
      group_barrier<kWarps>(group + 1);
      squares = 0.0F;
      for (int i = 0; i < kTasks; ++i) {
        squares += stage.sum_of_squares(false, 0, i, gates, pre);
      }
      squares = group_sum(squares);
    }
    const RowScale scale = row_scale(squares, Shape::kPoints, pre);
#pragma unroll
    for (int i = 0; i < kTasks; ++i) {
      Word columns[8][Shape::kVectors / 2];
      stage.scaled(0, i, gates, scale.scale, columns);
#pragma unroll
      for (int sub = 0; sub < Shape::kSubs; ++sub) {
        outer_forward(columns, outer, in_row.on(i * kWarps), sub, lane);
      }
    }
    if (left > 1) start(next_h, next_b);
    group_barrier<kWarps>(group + 1);

#pragma unroll 1
    for (int i = 0; i < Groups::kRingsPerWarp; ++i) {
      const int k1 = member + i * kWarps;
      RingTime x;
      RingSpectrum z;
      load_ring<R, 1>({rings_address}, k1, lane, x);
      transform.forward(k1, x, z);
      if constexpr (Memory::kKeepsSpectrum) {
        multiply_spectrum(kept, flip, z);
        if (last_of_channel && left > 1) keep_spectrum(next_h);
      } else {
        multiply_spectrum(spectrum_of(h, k1), flip, z);
      }
      transform.inverse(k1, z, x);
      store_ring<R, 1>(rings_address, k1, lane, x, StoreHere{});
    }
    group_barrier<kWarps>(group + 1);

    const RowOutputs<T> out(call, h, b, skip, scale.unscale * filter_unscale);
#pragma unroll
    for (int i = 0; i < kTasks; ++i) {
      write_task<kAccess, kPlain>(outer, out_row.on(i * kWarps), lane, stage.place.on(i * kWarps),
                                  call.length, out);
    }
    if (last_of_channel && left > 1) {
      filter_unscale = args.unscale[next_h];
      skip = skip_of(call, next_h);
    }
    h = next_h;
    b = next_b;
  }
}

template <class T, int R, bool kGated, Access kAccess, bool kPlain = false>
void launch_ring(const RingArgs<T>& args, cudaStream_t stream) {
  const auto kernel = ring_kernel<T, R, kGated, kAccess, kPlain>;
  constexpr int kBytes = RingMemory<T, R, kGated>::kBytes;
  static_assert(kBytes <= kMostSharedBytes);
  LONGCONV_CUDA_CHECK(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes));
  const std::int64_t rows = args.call.batch * args.call.channels;
  const std::int64_t blocks = std::min<std::int64_t>(
      multiprocessors(), (rows + RingGroups<R>::kGroups - 1) / RingGroups<R>::kGroups);
  kernel<<<static_cast<unsigned>(blocks), RingGroups<R>::kThreads, kBytes, stream>>>(args);
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

/// Instantiated for each R and T in a file of its own (long_conv_ring_<R>_<T>.cu), so that they
/// compile side by side.
template <class T, int R>
void apply_ring(const RingArgs<T>& args, cudaStream_t stream) {
  const bool gated = args.call.in.b != nullptr;
  const bool plain =
      args.call.skip == nullptr && args.call.factor[0] == nullptr && args.call.out[1] == nullptr;
  if (!args.call.by_vectors()) {
    gated ? launch_ring<T, R, true, Access::scalar>(args, stream)
          : launch_ring<T, R, false, Access::scalar>(args, stream);
  } else if (args.call.length != RingShape<R>::kPoints) {
    gated ? launch_ring<T, R, true, Access::vectors>(args, stream)
          : launch_ring<T, R, false, Access::vectors>(args, stream);
  } else if (!gated && plain) {
    launch_ring<T, R, false, Access::whole, true>(args, stream);
  } else {
    gated ? launch_ring<T, R, true, Access::whole>(args, stream)
          : launch_ring<T, R, false, Access::whole>(args, stream);
  }
}

}  // namespace longconv::kernels::cuda
