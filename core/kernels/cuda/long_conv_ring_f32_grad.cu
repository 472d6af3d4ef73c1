// Backward through the ring transform in float32 (long_conv_ring_f32.cu), everything from one
// reading of the rows. A block (cluster) owns a channel and walks the batch, with two sets of
// tiles: V = transform(g_in u) stays in the first while DW = transform(g_out dy) is made in the
// second. sum_b DW conj(V), the filter's gradient in frequency, lives in registers over the whole
// batch; du and dgate_in come from inverse(DW conj(K)), dgate_out from inverse(V K). No atomics; a
// row's bits depend on nothing but the row and the filter.

#include "core/kernels/cuda/long_conv_ring_f32.cuh"

namespace longconv::kernels::cuda {
namespace {

using plan::kSide;

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

  const int h = static_cast<int>(blockIdx.x) / Row::kBlocks;
  const std::int64_t split = blockIdx.y;
  const std::int64_t last = args.dv.batch * (split + 1) / args.out.splits;
  std::int64_t b = args.dv.batch * split / args.out.splits + thread.group;
  const int left = args.dv.length - thread.first;
  const std::int64_t channel = std::int64_t{h} * args.dv.length + thread.first;
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
      args.spectrum + (std::int64_t{h} * R + thread.k1) * plan::kRing + thread.lane;

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
    // The filter's spectrum, half of it asked for before the transform: registers set the bound.
    constexpr int kEarly = 16;
    float2 k[kSide];
#pragma unroll
    for (int i = 0; i < kEarly; ++i) k[i] = __ldg(spectrum + kSide * i);
    ring.forward(x, w_tile);
#pragma unroll
    for (int i = 0; i < kSide; ++i) {
      const float2 v = v_tile[i * kTilePitch + thread.lane];
      sum[i].x = fmaf(x[i].x, v.x, fmaf(x[i].y, v.y, sum[i].x));
      sum[i].y = fmaf(x[i].y, v.x, fmaf(-x[i].x, v.y, sum[i].y));
    }
    float z[kThreadValues];
    if (wants_dv) {
#pragma unroll
      for (int i = kEarly; i < kSide; ++i) k[i] = __ldg(spectrum + kSide * i);
#pragma unroll
      for (int i = 0; i < kSide; ++i) x[i] = turned<true>(x[i], k[i]);
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
      for (int i = 0; i < kSide; ++i) {
        x[i] = product(v_tile[i * kTilePitch + thread.lane], __ldg(spectrum + kSide * i));
      }
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
      args.out.spectrum + ((split * args.out.rows + h) * R + thread.k1) * plan::kRing;
  constexpr float kScale = 1.0F / static_cast<float>(R * plan::kRing);
#pragma unroll
  for (int k3 = 0; k3 < kSide; ++k3) {
    out[plan::gradient_place(thread.lane, k3)] =
        make_float2(sum[k3].x * kScale, sum[k3].y * kScale);
  }
  if constexpr (Row::kBlocks > 1) cluster_sync<Row::kBlocks>();  // others may still read here
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

void float_backward(const FloatBackwardArgs& args, Stream stream) {
  with_outer(args.dv.length, [&]<int R>() { backward<R>(args, stream); });
}

}  // namespace longconv::kernels::cuda
