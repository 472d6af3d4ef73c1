// What the passes of every dtype share: filters, the way back of their gradients, and memory.

#include "core/kernels/cuda/long_conv_passes.cuh"

namespace longconv::kernels::cuda {
namespace passes {
namespace {

constexpr int kScaleThreads = 1024;

/// The sum of the taps' magnitudes bounds the spectrum: it is brought to [2^8, 2^9) for float32
/// passes (log2_points = 0), and below 2^4 for those in fp16, whose rows are below 2: nothing of a
/// row's spectrum, M^(1/2) times as large at most, leaves fp16.
__global__ void __launch_bounds__(kScaleThreads)
    tap_scale_kernel(const FilterRows filter, int log2_points, const TapScales scales) {
  __shared__ float sums[kScaleThreads / 32];
  __shared__ float maxima[kScaleThreads / 32];
  after_last_pass();
  const FilterTaps taps = filter.row(blockIdx.x);
  float sum = 0.0F;
  float largest = 0.0F;
  const auto add = [&](const float* of, int count) {
    for (int j = threadIdx.x; j < count; j += kScaleThreads) {
      sum += fabsf(of[j]);
      largest = fmaxf(largest, fabsf(of[j]));
    }
  };
  add(taps.k, taps.taps);
  add(taps.k_reverse, taps.reverse_taps);
  sum = warp_sum(sum);
  largest = warp_max(largest);
  if (threadIdx.x % 32 == 0) {
    sums[threadIdx.x / 32] = sum;
    maxima[threadIdx.x / 32] = largest;
  }
  __syncthreads();
  sum = warp_sum(sums[threadIdx.x % 32]);
  largest = warp_max(maxima[threadIdx.x % 32]);
  // A circular filter's taps count at two lags.
  if (taps.mode == ConvMode::circular) sum *= 2.0F;
  if (threadIdx.x != 0) return;
  const int h = static_cast<int>(blockIdx.x);
  if (log2_points == 0) {
    scales.of_spectrum[h] = scales.of_taps[h] = power_of_two(8 - row_exponent<8>(sum));
    scales.of_rings[h] = 1.0F;
    return;
  }
  const int of_taps = -row_exponent<0>(largest);
  const int of_rings = 3 + log2_points / 2 - (row_exponent<0>(sum) + of_taps);
  scales.of_taps[h] = power_of_two(of_taps);
  scales.of_rings[h] = power_of_two(of_rings);
  const float down = log2_points % 2 == 0 ? 1.0F : 0.70710678118654752F;
  scales.of_spectrum[h] = down * power_of_two(of_taps + of_rings - log2_points / 2);
}

__global__ void __launch_bounds__(32 * kRingWarps, 2)
    gradient_back_kernel(float2* const gradient, int channels, int splits, int outer) {
  extern __shared__ __align__(16) float2 memory[];
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int ring = static_cast<int>(blockIdx.x) * kRingWarps + warp;
  const int channel = ring / outer;
  const int k1 = ring % outer;
  after_last_pass();
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

template <class Device>
void make_spectrum(const LongConvArgs& args, void* memory, cudaStream_t stream) {
  auto* const spectrum = static_cast<typename Device::S*>(memory);
  const int outer = outer_of(args);
  const TapScales scales(args, memory);
  const FilterRows filter(args);
  int log2_points = 0;
  if (args.dtype != Dtype::f32) {
    while ((std::int64_t{1} << log2_points) < points_of(args)) ++log2_points;
  }
  run(tap_scale_kernel, args.channels, kScaleThreads, 0, stream, filter, log2_points, scales);
  Device::taps(filter, scales, static_cast<int>(args.channels), outer, spectrum, stream);
  const RowGroup all{0, 0, static_cast<int>(args.channels), 1};
  Device::forward_taps(spectrum, scales, all, outer, stream);
}

}  // namespace

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
  const std::int64_t wanted = (8L * multiprocessors() + rings - 1) / rings;
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
  const std::int64_t sided_rows = rows * (backward ? 2 : 1);
  largest = reinterpret_cast<float*>(take(4 * kParts * sided_rows));
  data = take(sided_rows * row_bytes(args));
  gradient =
      backward ? reinterpret_cast<float2*>(take(8 * points_of(args) * size.channels * size.splits))
               : nullptr;
  bytes = at;
}

}  // namespace passes

std::int64_t passes_spectrum_bytes(const LongConvArgs& args) {
  return args.channels * (passes::row_bytes(args) + passes::TapScales::kBytes);
}

void passes_filter_spectrum(const LongConvArgs& args, void* spectrum, Stream stream) {
  if (args.channels == 0) return;
  args.dtype == Dtype::f32
      ? passes::make_spectrum<passes::FloatPasses>(args, spectrum, stream)
      : passes::make_spectrum<passes::TensorPasses<__half>>(args, spectrum, stream);
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
