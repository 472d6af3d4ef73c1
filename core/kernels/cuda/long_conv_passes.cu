// What the passes of every dtype share: filters, the way back of their gradients, and memory.

#include "core/kernels/cuda/long_conv_passes.cuh"

namespace longconv::kernels::cuda {
namespace passes {
namespace {

constexpr int kScaleThreads = 1024;

__global__ void __launch_bounds__(kScaleThreads)
    tap_scale_kernel(const FilterRows filter, float* const scale) {
  __shared__ float shared[kScaleThreads / 32];
  const FilterTaps taps = filter.row(blockIdx.x);
  float sum = 0.0F;
  for (int j = threadIdx.x; j < taps.taps; j += kScaleThreads) sum += fabsf(taps.k[j]);
  for (int j = threadIdx.x; j < taps.reverse_taps; j += kScaleThreads) {
    sum += fabsf(taps.k_reverse[j]);
  }
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = sum;
  __syncthreads();
  sum = warp_sum(shared[threadIdx.x % 32]);
  // A circular filter's taps count at two lags.
  if (taps.mode == ConvMode::circular) sum *= 2.0F;
  if (threadIdx.x == 0) scale[blockIdx.x] = power_of_two(8 - row_exponent<8>(sum));
}

__global__ void __launch_bounds__(32 * kRingWarps, 2)
    gradient_back_kernel(float2* const gradient, int channels, int splits, int outer) {
  extern __shared__ __align__(16) float2 memory[];
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int ring = static_cast<int>(blockIdx.x) * kRingWarps + warp;
  const int channel = ring / outer;
  const int k1 = ring % outer;
  if (channel >= channels) return;
  const std::int64_t part = std::int64_t{outer} * plan::kRing;
  float2* const mine = gradient + channel * splits * part + std::int64_t{k1} * plan::kRing + lane;
  float2 x[plan::kSide];
  load_ring(mine, x);
  for (int split = 1; split < splits; ++split) {
#pragma unroll
    for (int i = 0; i < plan::kSide; ++i) {
      const float2 y = mine[split * part + plan::kSide * i];
      x[i] = {x[i].x + y.x, x[i].y + y.y};
    }
  }
  ring_back(x, memory + warp * kTile, outer, k1, lane);
  scale_ring(x, 1.0F / plan::kRing);
  store_ring(x, mine);
}

constexpr std::int64_t aligned(std::int64_t bytes) { return (bytes + 255) / 256 * 256; }

template <class S>
void make_spectrum(const LongConvArgs& args, void* memory, cudaStream_t stream) {
  auto* const spectrum = static_cast<S*>(memory);
  const int outer = outer_of(args);
  auto* const scale = reinterpret_cast<float*>(spectrum + args.channels * points_of(args));
  const FilterRows filter(args);
  make_tap_scales(filter, args.channels, scale, stream);
  pass_in(TapRows{filter, scale, static_cast<int>(points_of(args))}, args.channels, outer, spectrum,
          stream);
  const RowGroup all{0, 0, static_cast<int>(args.channels), 1};
  pass_rings<true, Filter::none, false>(spectrum, static_cast<const S*>(nullptr), all, outer,
                                        1.0F / down_of(outer), stream);
}

}  // namespace

void make_tap_scales(const FilterRows& filter, std::int64_t rows, float* scale,
                     cudaStream_t stream) {
  run(tap_scale_kernel, rows, kScaleThreads, 0, stream, filter, scale);
}

void gradient_back(float2* gradient, int channels, int splits, int outer, cudaStream_t stream) {
  const int rings = channels * outer;
  run(gradient_back_kernel, (rings + kRingWarps - 1) / kRingWarps, 32 * kRingWarps, kRingBytes,
      stream, gradient, channels, splits, outer);
}

void clear_filter_gradients(const LongConvGradArgs& args, cudaStream_t stream) {
  const LongConvArgs& in = args.inputs;
  const auto clear = [&](void* to, std::int64_t taps) {
    if (to == nullptr || taps < in.length) return;  // all of them are written
    LONGCONV_CUDA_CHECK(
        cudaMemsetAsync(to, 0, static_cast<std::size_t>(4 * in.channels * taps), stream));
  };
  clear(args.dk, in.taps);
  clear(args.dk_reverse, in.reverse_taps);
}

GroupSize group_size(const LongConvArgs& args, std::int64_t bytes_of_row) {
  const std::int64_t most = std::max<std::int64_t>(1, kCacheBytes / bytes_of_row);
  GroupSize size{1, 1, 1};
  if (args.batch <= most) {
    size.batch = static_cast<int>(args.batch);
    size.channels = static_cast<int>(std::min(args.channels, most / args.batch));
  } else {
    const std::int64_t groups = (args.batch + most - 1) / most;
    size.batch = static_cast<int>((args.batch + groups - 1) / groups);
  }
  // Enough rings side by side to fill the device.
  const std::int64_t rings = std::int64_t{size.channels} * outer_of(args);
  const std::int64_t wanted = (16L * multiprocessors() + rings - 1) / rings;
  size.splits = static_cast<int>(std::clamp<std::int64_t>(wanted, 1, size.batch));
  return size;
}

Workspace::Workspace(const LongConvArgs& args, const GroupSize& size, bool backward, void* memory) {
  const std::int64_t rows = std::int64_t{size.channels} * size.batch;
  auto* const begin = static_cast<char*>(memory);
  std::int64_t at = 0;
  const auto take = [&](std::int64_t count) {
    char* const here = begin + at;
    at += aligned(count);
    return here;
  };
  w_largest = reinterpret_cast<float*>(take(4 * kParts * rows));
  v_largest = backward ? reinterpret_cast<float*>(take(4 * kParts * rows)) : nullptr;
  w = take(rows * row_bytes(args));
  v = backward ? take(rows * row_bytes(args)) : nullptr;
  gradient =
      backward ? reinterpret_cast<float2*>(take(8 * points_of(args) * size.channels * size.splits))
               : nullptr;
  bytes = at;
}

}  // namespace passes

std::int64_t passes_spectrum_bytes(const LongConvArgs& args) {
  return args.channels * (passes::row_bytes(args) + 4);
}

void passes_filter_spectrum(const LongConvArgs& args, void* spectrum, Stream stream) {
  if (args.channels == 0) return;
  args.dtype == Dtype::f32 ? passes::make_spectrum<float2>(args, spectrum, stream)
                           : passes::make_spectrum<__half2>(args, spectrum, stream);
}

std::int64_t passes_forward_workspace_bytes(const LongConvArgs& args) {
  const passes::GroupSize size = passes::group_size(args, passes::row_bytes(args));
  return passes::Workspace(args, size, false, nullptr).bytes;
}

std::int64_t passes_workspace_bytes(const LongConvGradArgs& args) {
  const LongConvArgs& in = args.inputs;
  const passes::GroupSize size = passes::group_size(in, 2 * passes::row_bytes(in));
  return passes::Workspace(in, size, true, nullptr).bytes;
}

}  // namespace longconv::kernels::cuda
