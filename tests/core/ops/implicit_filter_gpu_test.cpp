// What the CUDA row of the implicit filter promises beyond the shared cases: nothing of a layer's
// size in memory, any stream, CUDA graphs.
#define AT_PER_OPERATOR_HEADERS
#include "core/ops/implicit_filter.h"
#include "tests/core/ops/device.h"

#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#ifdef LONGCONV_WITH_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

namespace longconv::ops {
namespace {

using testing::OnDevice;

ImplicitFilterInputs hyena_dna(std::int64_t length, std::int64_t channels) {
  const at::TensorOptions options =
      at::TensorOptions().dtype(at::kFloat).device(testing::torch_device());
  const PositionalFeatures features = positional_features(length + 2, 5, options);
  ImplicitFilterInputs in;
  in.z = features.z;
  in.t = features.t;
  in.weights = {at::randn({64, 5}, options), at::randn({64, 64}, options),
                at::randn({64, 64}, options), at::randn({channels, 64}, options)};
  for (int i = 0; i < 3; ++i) in.biases.push_back(at::randn({64}, options));
  for (at::Tensor& w : in.weights) w.mul_(0.1).requires_grad_(true);
  for (at::Tensor& b : in.biases) b.mul_(0.1).requires_grad_(true);
  in.freq = at::full({1, 64}, 10.0, options).requires_grad_(true);
  in.deltas = modulation_deltas(channels, 0.3, 1.5, 1e-2, options);
  in.shift = 0.05;
  return in;
}

class ImplicitFilterDevice : public OnDevice<::testing::Test> {};

TEST_F(ImplicitFilterDevice, AMillionStepsTakeTheFilterAndItsGradientAndLittleMore) {
  constexpr std::int64_t kLength = 1 << 20;
  constexpr std::int64_t kChannels = 256;
  constexpr std::int64_t kFilterBytes = kLength * kChannels * 4;  // 1 GiB
  std::size_t free = 0;
  std::size_t total = 0;
  ASSERT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  if (free < static_cast<std::size_t>(6 * kFilterBytes)) {
    GTEST_SKIP() << "needs 6 GiB of free GPU memory, there are " << (free >> 30);
  }
  const ImplicitFilterInputs in = hyena_dna(kLength, kChannels);
  const auto index = static_cast<c10::DeviceIndex>(in.z.get_device());
  namespace cache = c10::cuda::CUDACachingAllocator;
  const auto allocated = [&](bool peak) {
    const auto stats = cache::getDeviceStats(index);
    return peak ? stats.allocated_bytes[0].peak : stats.allocated_bytes[0].current;
  };
  cache::resetPeakStats(index);
  const std::int64_t before = allocated(false);
  const at::Tensor h = implicit_filter(in, kLength);
  // A layer's output alone would be 256 MiB.
  EXPECT_LE(allocated(true) - before, kFilterBytes + (1 << 20));
  EXPECT_TRUE(h.t().is_contiguous());
  const at::Tensor dh = at::full({kChannels, kLength}, 1e-3, h.options()).t();
  cache::resetPeakStats(index);
  const std::int64_t held = allocated(false);
  const auto d = torch::autograd::grad({h}, {in.weights[0], in.weights[3], in.freq}, {dh});
  EXPECT_LE(allocated(true) - held, 64 << 20) << "the blocks' slots";
  // The end of the filter is that of a shorter run over the same features.
  ImplicitFilterInputs last = in;
  last.z = in.z.narrow(1, kLength - 100, 100);
  last.t = in.t.narrow(1, kLength - 100, 100);
  EXPECT_TRUE(implicit_filter(last, 100).equal(h.narrow(0, kLength - 100, 100)));
  // dh is constant: the last weight's gradient is that of h's sum over time, row by row.
  const at::Tensor sums = h.detach().sum({0}).mul_(1e-3);
  const at::Tensor by_rows = d[1].mul(in.weights[3].detach()).sum({1});
  EXPECT_LE(by_rows.sub(sums).norm().item<float>(), 1e-4F * sums.norm().item<float>());
  EXPECT_GT(d[0].norm().item<float>(), 0.0F);
  EXPECT_GT(d[2].norm().item<float>(), 0.0F);
}

TEST_F(ImplicitFilterDevice, RunsOnTheCurrentStreamAndInCudaGraphs) {
  const ImplicitFilterInputs in = hyena_dna(500, 70);
  const auto gradient = [&] {
    const at::Tensor h = implicit_filter(in, 500);
    return torch::autograd::grad({h}, {in.weights[1]}, {h.detach()})[0];
  };
  gradient();
  c10::cuda::device_synchronize();
  const c10::cuda::CUDAStream side = c10::cuda::getStreamFromPool();
  const c10::cuda::CUDAStreamGuard guard(side);
  at::Tensor captured;
  at::cuda::CUDAGraph graph;
  {
    const c10::NoGradGuard no_grad;
    graph.capture_begin();
    captured = implicit_filter(in, 500);
    graph.capture_end();
    in.weights[0].mul_(-0.5);
  }
  graph.replay();
  side.synchronize();
  EXPECT_TRUE(captured.equal(implicit_filter(in, 500)));
  const at::Tensor there = gradient();
  const c10::cuda::CUDAStreamGuard back(c10::cuda::getDefaultCUDAStream());
  side.synchronize();
  EXPECT_TRUE(there.equal(gradient()));
  EXPECT_GT(there.norm().item<float>(), 0.0F);
}

}  // namespace
}  // namespace longconv::ops
#endif
