// The long convolution through the ring transform in float32, for float32 tensors: the pieces are
// ring_f32.cuh, the algebra core/plan/ring_plan.h.
//
//   values from memory by cp.async, one row ahead                             (registers)
//   outer stage                                        registers -> rings in shared memory
//   each warp its ring: twiddle, two inner stages, filter spectrum, two inner stages, twiddle
//   outer stage, real parts                            rings -> registers -> y
//
// To R = 8 a block holds rows, a warp a ring; above a cluster of blocks holds one, and the outer
// stage writes to and reads from the other blocks' shared memory. With R = 1 there is no outer
// stage: a warp has a row to itself and waits for nobody.
//
// Backward makes everything from one reading of the rows. A block (cluster) owns a channel and
// walks the batch, with two sets of tiles: V = transform(g_in u) stays in the first while DW =
// transform(g_out dy) is made in the second. sum_b DW conj(V), the filter's gradient in frequency,
// lives in registers over the whole batch; du and dgate_in come from inverse(DW conj(K)), dgate_out
// from inverse(V K). No atomics; a row's bits depend on nothing but the row and the filter.

#include "core/kernels/cuda/long_conv_ring.h"
#include "core/kernels/cuda/long_conv_ring_filter.h"
#include "core/kernels/cuda/ring_f32.cuh"
#include "core/kernels/cuda/ring_launch.h"

#include <algorithm>

namespace longconv::kernels::cuda {
namespace {

using plan::kSide;

struct FloatApplyArgs {
  ApplyArgs<float> call;
  const float2* spectrum;  // [H][R][k3][k2], divided by M
  bool mirrored;           // apply the filter's transpose: its conjugate in frequency
};

constexpr int row_blocks(int r) { return r <= 8 ? 1 : r / 8; }

template <int R>
struct ApplyShape : FloatShape<R, row_blocks(R)> {
  using Row = FloatShape<R, row_blocks(R)>;
  static constexpr int kResident = 16 / Row::kWarps;  // blocks of a multiprocessor
  static constexpr int kStage = 8 * (Row::kTiles + Row::kTilesSize);
  static constexpr int kBytes = kStage + Row::kStageBytes;
  static_assert(kResident * (kBytes + 1024) <= 228 * 1024);
};

template <int R>
__global__ void __launch_bounds__(ApplyShape<R>::kThreads, ApplyShape<R>::kResident)
    apply_kernel(const FloatApplyArgs args) {
  using Shape = ApplyShape<R>;
  using Row = typename Shape::Row;
  extern __shared__ __align__(16) float2 memory[];
  const FloatThread<Row> thread;
  const FloatRing ring(memory, thread);
  float2* const tiles = memory + Row::kTiles + thread.group * Row::kLocal * kTile;
  float2* const tile = tiles + thread.member * kTile;
  const FloatColumns<Row> columns(tiles, thread);
  const FloatStage<Row> stage(reinterpret_cast<float*>(memory) + Shape::kStage / 4, thread);
  cluster_sync<Row::kBlocks>();

  const ApplyArgs<float>& call = args.call;
  const int left = call.length - thread.first;
  const std::uint32_t flip_bits = args.mirrored ? 0x80000000U : 0U;
  const auto flip = [&](float x) { return __uint_as_float(__float_as_uint(x) ^ flip_bits); };
  const auto start = [&](std::int64_t h, std::int64_t b) {
    stage.start(call.in.a + b * call.in.a_stride + (h * call.length + thread.first), left);
  };

  // Each group takes a run of rows, channel by channel.
  const std::int64_t rows = call.batch * call.channels;
  const std::int64_t groups = std::int64_t{gridDim.x / Row::kBlocks} * Row::kGroups;
  const std::int64_t mine = std::int64_t{blockIdx.x / Row::kBlocks} * Row::kGroups + thread.group;
  const std::int64_t first = rows * mine / groups;
  const int batch = static_cast<int>(call.batch);
  int count = static_cast<int>(rows * (mine + 1) / groups - first);
  int h = static_cast<int>(first / batch);
  int b = static_cast<int>(first % batch);
  if (count > 0) start(h, b);
#pragma unroll 1
  for (; count > 0; --count) {
    const float skip = call.skip == nullptr ? 0.0F : __ldg(call.skip + h);
    const float* const gate =
        call.in.b == nullptr
            ? nullptr
            : call.in.b + b * call.in.b_stride + (std::int64_t{h} * call.length + thread.first);
    float2 x[kSide];
    float v[kThreadValues];
    wait_for_copies();
    stage.take(gate, left, v);
    if constexpr (R == 1) {
      ring.take(v, x);
    } else {
      columns.to_rings(v);
    }
    if (count > 1) b + 1 < batch ? start(h, b + 1) : start(h + 1, 0);
    if constexpr (R > 1) {
      thread.meet();
      ring.take<Row>(tile, x);
    }
    ring.forward(x, tile);
    multiply_spectrum(
        args.spectrum + (std::int64_t{h} * R + thread.k1) * plan::kRing + thread.lane, flip, x);
    ring.inverse(x, tile);
    if constexpr (R == 1) {
      ring.give(x, v);
    } else {
      ring.give(x, tile);
      thread.meet();
      columns.from_rings(v);
    }
    write_values<Row>(call, h, b, skip, thread.first, v);
    if (++b == batch) {
      ++h;
      b = 0;
    }
  }
  if constexpr (Row::kBlocks > 1) cluster_sync<Row::kBlocks>();  // others may still read here
}

struct FloatBackwardArgs {
  ApplyArgs<float> dv;     // of dw: out du and dgate_in
  ApplyArgs<float> dgate;  // of v: out dgate_out
  RingGradient out;
  const float2* spectrum;
};

template <int R>
struct BackwardShape : FloatShape<R, row_blocks(R)> {
  using Row = FloatShape<R, row_blocks(R)>;
  static constexpr int kOtherTiles = Row::kTiles + Row::kTilesSize;
  static constexpr int kStage = 8 * (kOtherTiles + Row::kTilesSize);
  static constexpr int kBytes = kStage + 2 * Row::kStageBytes;
  static_assert(kBytes <= kMostSharedBytes);
};

template <int R>
__global__ void __launch_bounds__(BackwardShape<R>::kThreads, 1)
    backward_kernel(const FloatBackwardArgs args) {
  using Shape = BackwardShape<R>;
  using Row = typename Shape::Row;
  extern __shared__ __align__(16) float2 memory[];
  const FloatThread<Row> thread;
  const FloatRing ring(memory, thread);
  // Signals are 0, v, and 1, w.
  const int group_tiles = thread.group * Row::kLocal * kTile;
  float2* const v_tiles = memory + Row::kTiles + group_tiles;
  float2* const w_tiles = memory + Shape::kOtherTiles + group_tiles;
  float2* const v_tile = v_tiles + thread.member * kTile;
  float2* const w_tile = w_tiles + thread.member * kTile;
  const FloatColumns<Row> v_columns(v_tiles, thread);
  const FloatColumns<Row> w_columns(w_tiles, thread);
  float* const stages = reinterpret_cast<float*>(memory) + Shape::kStage / 4;
  const FloatStage<Row> v_stage(stages, thread);
  const FloatStage<Row> w_stage(stages + Row::kStageBytes / 4, thread);
  cluster_sync<Row::kBlocks>();

  const std::int64_t h = blockIdx.x / Row::kBlocks;
  const std::int64_t split = blockIdx.y;
  const std::int64_t last = args.dv.batch * (split + 1) / args.out.splits;
  std::int64_t b = args.dv.batch * split / args.out.splits + thread.group;
  const int left = args.dv.length - thread.first;
  const std::int64_t channel = h * args.dv.length + thread.first;
  const auto start = [&](std::int64_t row) {
    v_stage.start(args.dgate.in.a + row * args.dgate.in.a_stride + channel, left);
    w_stage.start(args.dv.in.a + row * args.dv.in.a_stride + channel, left);
  };
  const auto take_values = [&](const FloatStage<Row>& stage, const Signal<float>& in,
                               float(&x)[kThreadValues]) {
    stage.take(in.b == nullptr ? nullptr : in.b + b * in.b_stride + channel, left, x);
  };
  const bool wants_dv = args.dv.out[0] != nullptr;
  const bool wants_dgate = args.dgate.out[0] != nullptr;
  const float skip = args.dv.skip == nullptr ? 0.0F : __ldg(args.dv.skip + h);
  const float2* const spectrum =
      args.spectrum + (h * R + thread.k1) * plan::kRing + thread.lane;

  float2 sum[kSide] = {};
  if (b < last) start(b);
#pragma unroll 1
  for (; b < last; b += Row::kGroups) {
    const std::int64_t next = b + Row::kGroups;
    float2 x[kSide];
    wait_for_copies();
    if constexpr (R == 1) {
      float v[kThreadValues];
      take_values(v_stage, args.dgate.in, v);
      ring.take(v, x);
    } else {
      float v[kThreadValues];
      take_values(v_stage, args.dgate.in, v);
      v_columns.to_rings(v);
      take_values(w_stage, args.dv.in, v);
      w_columns.to_rings(v);
      if (next < last) start(next);
      thread.meet();
      ring.take<Row>(v_tile, x);
    }
    ring.forward(x, v_tile);
    __syncwarp();
#pragma unroll
    for (int i = 0; i < kSide; ++i) v_tile[i * kTilePitch + thread.lane] = x[i];
    if constexpr (R == 1) {
      float w[kThreadValues];
      take_values(w_stage, args.dv.in, w);
      ring.take(w, x);
      if (next < last) start(next);
    } else {
      ring.take<Row>(w_tile, x);
    }
    ring.forward(x, w_tile);
#pragma unroll
    for (int i = 0; i < kSide; ++i) {
      const float2 v = v_tile[i * kTilePitch + thread.lane];
      sum[i].x = fmaf(x[i].x, v.x, fmaf(x[i].y, v.y, sum[i].x));
      sum[i].y = fmaf(x[i].y, v.x, fmaf(-x[i].x, v.y, sum[i].y));
    }
    float z[kThreadValues];
    if (wants_dv) {
      multiply_spectrum(spectrum, [](float im) { return -im; }, x);
      ring.inverse(x, w_tile);
      if constexpr (R == 1) {
        ring.give(x, z);
        write_values<Row>(args.dv, h, b, skip, thread.first, z);
      } else {
        ring.give(x, w_tile);
      }
    }
    if (wants_dgate) {
#pragma unroll
      for (int i = 0; i < kSide; ++i) x[i] = v_tile[i * kTilePitch + thread.lane];
      multiply_spectrum(spectrum, [](float im) { return im; }, x);
      ring.inverse(x, v_tile);
      if constexpr (R == 1) {
        ring.give(x, z);
        write_values<Row>(args.dgate, h, b, skip, thread.first, z);
      } else {
        ring.give(x, v_tile);
      }
    }
    if constexpr (R > 1) {
      thread.meet();
      if (wants_dv) {
        w_columns.from_rings(z);
        write_values<Row>(args.dv, h, b, skip, thread.first, z);
      }
      if (wants_dgate) {
        v_columns.from_rings(z);
        write_values<Row>(args.dgate, h, b, skip, thread.first, z);
      }
    }
  }

  if constexpr (Row::kGroups > 1) {
    // The groups' sums, in order, where the rings were.
    float2* const meet = memory + Row::kTiles + thread.member * plan::kRing + thread.lane;
    __syncthreads();
    if (thread.group > 0) {
#pragma unroll
      for (int i = 0; i < kSide; ++i) {
        meet[(thread.group - 1) * Row::kLocal * plan::kRing + kSide * i] = sum[i];
      }
    }
    __syncthreads();
    if (thread.group > 0) return;
#pragma unroll 1
    for (int other = 0; other < Row::kGroups - 1; ++other) {
#pragma unroll
      for (int i = 0; i < kSide; ++i) {
        const float2 its = meet[other * Row::kLocal * plan::kRing + kSide * i];
        sum[i].x += its.x;
        sum[i].y += its.y;
      }
    }
  }
  float2* const out =
      args.out.spectrum + ((split * args.dv.channels + h) * R + thread.k1) * plan::kRing;
  constexpr float kScale = 1.0F / static_cast<float>(R * plan::kRing);
#pragma unroll
  for (int k3 = 0; k3 < kSide; ++k3) {
    out[plan::gradient_place(thread.lane, k3)] = make_float2(sum[k3].x * kScale, sum[k3].y * kScale);
  }
  if constexpr (Row::kBlocks > 1) cluster_sync<Row::kBlocks>();  // others may still read here
}

/// A launch of `kernel` in clusters of Shape::kBlocks, where there is more than one.
template <class Shape>
struct ClusterLaunch {
  cudaLaunchConfig_t config = {};
  cudaLaunchAttribute attribute = {};

  template <class Kernel>
  ClusterLaunch(Kernel* kernel, dim3 grid, cudaStream_t stream) {
    LONGCONV_CUDA_CHECK(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Shape::kBytes));
    LONGCONV_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                                             cudaSharedmemCarveoutMaxShared));
    config.gridDim = grid;
    config.blockDim = dim3(Shape::kThreads);
    config.dynamicSmemBytes = Shape::kBytes;
    config.stream = stream;
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim = {Shape::kBlocks, 1, 1};
    if constexpr (Shape::kBlocks > 1) {
      config.attrs = &attribute;
      config.numAttrs = 1;
    }
  }
  ClusterLaunch(const ClusterLaunch&) = delete;
  ClusterLaunch& operator=(const ClusterLaunch&) = delete;
};

template <int R>
void apply(const FloatApplyArgs& args, cudaStream_t stream) {
  using Shape = ApplyShape<R>;
  const std::int64_t rows = args.call.batch * args.call.channels;
  const std::int64_t wanted = (rows + Shape::kGroups - 1) / Shape::kGroups;
  ClusterLaunch<Shape> launch(apply_kernel<R>, dim3(Shape::kBlocks), stream);
  int resident = Shape::kResident * multiprocessors();
  if constexpr (Shape::kBlocks > 1) {
    LONGCONV_CUDA_CHECK(
        cudaOccupancyMaxActiveClusters(&resident, apply_kernel<R>, &launch.config));
  }
  const std::int64_t teams = std::min(wanted, std::int64_t{std::max(1, resident)});
  launch.config.gridDim = dim3(static_cast<unsigned>(teams * Shape::kBlocks));
  LONGCONV_CUDA_CHECK(cudaLaunchKernelEx(&launch.config, apply_kernel<R>, args));
}

auto applier(const LongConvArgs& args, Stream stream) {
  return [&args, stream](const ApplyArgs<float>& call, bool mirrored) {
    if (call.batch == 0 || call.channels == 0) return;
    const FloatApplyArgs all{call, static_cast<const float2*>(args.spectrum), mirrored};
    with_outer(args.length, [&]<int R>() { apply<R>(all, stream); });
  };
}

template <int R>
void backward(const FloatBackwardArgs& args, cudaStream_t stream) {
  using Shape = BackwardShape<R>;
  const dim3 grid(static_cast<unsigned>(args.dv.channels * Shape::kBlocks),
                  static_cast<unsigned>(args.out.splits));
  const ClusterLaunch<Shape> launch(backward_kernel<R>, grid, stream);
  LONGCONV_CUDA_CHECK(cudaLaunchKernelEx(&launch.config, backward_kernel<R>, args));
}

}  // namespace

void ring_forward_f32(const LongConvArgs& args, Stream stream) {
  forward_with<float>(args, applier(args, stream));
}

void ring_backward_f32(const LongConvGradArgs& args, Stream stream) {
  const LongConvArgs& in = args.inputs;
  if (!wants_filter_gradient(args)) return backward_with<float>(args, applier(in, stream));
  if (in.channels == 0) return;
  FloatBackwardArgs call{};
  call.dv = input_gradient_call<float>(args);
  call.dgate = output_gate_gradient_call<float>(args);
  call.spectrum = static_cast<const float2*>(in.spectrum);
  call.out.splits = batch_splits(in);
  call.out.spectrum = static_cast<float2*>(args.workspace);
  with_outer(in.length, [&]<int R>() { backward<R>(call, stream); });
  ring_filter_gradient(args, call.out, stream);
}

}  // namespace longconv::kernels::cuda
