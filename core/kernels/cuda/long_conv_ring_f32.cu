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

#include "core/kernels/cuda/long_conv_ring.h"
#include "core/kernels/cuda/long_conv_ring_f32.cuh"
#include "core/kernels/cuda/shared_gradients.cuh"

#include <algorithm>
#include <climits>

namespace longconv::kernels::cuda {
namespace {

using plan::kSide;

struct FloatApplyArgs {
  ApplyArgs<float> call;
  const float2* spectrum;  // [H][R][k3][k2], divided by M
  bool mirrored;           // apply the filter's transpose: its conjugate in frequency
};

// Rings of a row in one block: 8, and two blocks share a multiprocessor, or 16, and rows of 16
// rings need no cluster.
constexpr int kMostRings = 16;
template <int R>
using ApplyRow = FloatShape<R, R <= kMostRings ? 1 : R / kMostRings>;

template <int R>
struct ApplyShape : ApplyRow<R> {
  using Row = ApplyRow<R>;
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
  const auto start = [&](int h, std::int64_t b) {
    stage.start(call.in.a + b * call.in.a_stride + (std::int64_t{h} * call.length + thread.first),
                left);
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
    const int flip = renewed(args.mirrored ? INT_MIN : 0);  // not kept around the loop
    multiply_spectrum(args.spectrum + (std::int64_t{h} * R + thread.k1) * plan::kRing + thread.lane,
                      flip, x);
    ring.inverse(x, tile);
    const float skip = call.skip == nullptr ? 0.0F : __ldg(call.skip + h);
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

template <int R>
void apply(const FloatApplyArgs& args, cudaStream_t stream) {
  using Shape = ApplyShape<R>;
  const std::int64_t rows = args.call.batch * args.call.channels;
  const std::int64_t wanted = (rows + Shape::kGroups - 1) / Shape::kGroups;
  ClusterLaunch<Shape> launch(apply_kernel<R>, dim3(Shape::kBlocks), stream);
  int resident = Shape::kResident * multiprocessors();
  if constexpr (Shape::kBlocks > 1) {
    LONGCONV_CUDA_CHECK(cudaOccupancyMaxActiveClusters(&resident, apply_kernel<R>, &launch.config));
  }
  const std::int64_t teams = std::min(wanted, std::int64_t{std::max(1, resident)});
  launch.config.gridDim = dim3(static_cast<unsigned>(teams * Shape::kBlocks));
  LONGCONV_CUDA_CHECK(cudaLaunchKernelEx(&launch.config, apply_kernel<R>, args));
}

/// The spectra of filter c's channels.
const float2* spectrum_of(const LongConvArgs& args, std::int64_t c) {
  const std::int64_t points = std::int64_t{plan::kRing} * plan::outer_for(args.length);
  return static_cast<const float2*>(args.spectrum) + c * args.channels * points;
}

auto applier(const LongConvArgs& args, Stream stream) {
  return [&args, stream](const ApplyArgs<float>& call, std::int64_t c, bool mirrored) {
    if (call.batch == 0 || call.channels == 0) return;
    const FloatApplyArgs all{call, spectrum_of(args, c), mirrored};
    with_outer(args.length, [&]<int R>() { apply<R>(all, stream); });
  };
}

}  // namespace

void ring_forward_f32(const LongConvArgs& args, Stream stream) {
  forward_with<float>(args, applier(args, stream));
}

std::int64_t ring_workspace_bytes_f32(const LongConvGradArgs& args) {
  return filter_gradient_bytes(args) + SharedGradients<float>::bytes(args);
}

void ring_backward_f32(const LongConvGradArgs& args, Stream stream) {
  const LongConvArgs& in = args.inputs;
  if (in.channels == 0) return;
  const SharedGradients<float> shared(args, filter_gradient_bytes(args));
  const LongConvGradArgs& made = shared.made();
  if (!wants_filter_gradient(args)) {
    backward_with<float>(made, applier(in, stream));
  } else {
    const RingGradient gradient = ring_gradient(args);
    for (std::int64_t c = 0; c < in.filters; ++c) {
      FloatBackwardArgs call{};
      call.dv = input_gradient_call<float>(made, c);
      call.dgate = output_gate_gradient_call<float>(made, c);
      call.spectrum = spectrum_of(in, c);
      call.out = gradient.of_filter(in, c);
      float_backward(call, stream);
    }
    ring_filter_gradient(args, gradient, stream);
  }
  shared.sum(stream);
}

}  // namespace longconv::kernels::cuda
