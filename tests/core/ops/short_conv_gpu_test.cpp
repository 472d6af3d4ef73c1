// What the CUDA rows of the short convolutions promise beyond the shared cases: 64-bit indexing,
// any stream, CUDA graphs, the device of their tensors.
#define AT_PER_OPERATOR_HEADERS
#include "core/ops/short_conv.h"
#include "core/ops/short_conv_gate.h"
#include "tests/core/ops/device.h"

#include <ATen/ops/ones_like.h>
#include <ATen/ops/randn.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#ifdef LONGCONV_WITH_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

namespace longconv::ops {
namespace {

using testing::OnDevice;
constexpr std::int64_t kTaps = 3;
constexpr std::int64_t kOrder = 2;

at::TensorOptions options() { return at::TensorOptions().device(testing::torch_device()); }

struct Inputs {
  at::Tensor signal, w, bias;
};
/// `signal` bf16 of the given shape; w and bias for `channels`.
Inputs make_inputs(at::IntArrayRef shape, std::int64_t channels) {
  return {at::randn(shape, options().dtype(at::kBFloat16)).requires_grad_(true),
          at::randn({channels, kTaps}, options()).requires_grad_(true),
          at::randn({channels}, options()).requires_grad_(true)};
}

/// Outputs and gradients of the fused pass and of the short convolution in both layouts.
std::vector<at::Tensor> run_all(const Inputs& projection, const Inputs& rows) {
  std::vector<at::Tensor> all;
  const auto add = [&](const std::vector<at::Tensor>& outputs, const Inputs& in) {
    std::vector<at::Tensor> ones;
    for (const at::Tensor& y : outputs) {
      all.push_back(y.detach());
      ones.push_back(at::ones_like(y));
    }
    for (const at::Tensor& d : torch::autograd::grad(outputs, {in.signal, in.w, in.bias}, ones)) {
      all.push_back(d);
    }
  };
  const GatedParts parts =
      short_conv_gate(projection.signal, projection.w, projection.bias, kOrder);
  add({parts.gates, parts.product}, projection);
  add({short_conv(projection.signal.transpose(1, 2), projection.w, projection.bias)}, projection);
  add({short_conv(rows.signal, rows.w, rows.bias)}, rows);
  return all;
}

void expect_equal(const std::vector<at::Tensor>& got, const std::vector<at::Tensor>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(got[i].equal(want[i])) << i;
    EXPECT_GT(want[i].abs().max().item<float>(), 0.0F) << i;
  }
}

class ShortConvDevice : public OnDevice<::testing::Test> {};

TEST_F(ShortConvDevice, IndexesBeyondTwoToTheThirtyOne) {
  constexpr std::int64_t kBytes = 40LL << 30;
  std::size_t free = 0;
  std::size_t total = 0;
  ASSERT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  if (free < static_cast<std::size_t>(kBytes)) {
    GTEST_SKIP() << "needs 40 GiB of free GPU memory, there are " << (free >> 30);
  }
  constexpr std::int64_t kLength = 1 << 20;
  constexpr std::int64_t kChannels = 1024;  // 3 x 2^30 elements
  {
    const Inputs big = make_inputs({3, kChannels, kLength}, kChannels);
    const at::Tensor last = big.signal.detach().narrow(0, 2, 1).clone().requires_grad_(true);
    const at::Tensor y = short_conv(big.signal, big.w, big.bias);
    const at::Tensor y_last = short_conv(last, big.w, big.bias);
    EXPECT_TRUE(y.narrow(0, 2, 1).equal(y_last));
    const at::Tensor du = torch::autograd::grad({y}, {big.signal}, {y.detach()})[0];
    EXPECT_TRUE(
        du.narrow(0, 2, 1).equal(torch::autograd::grad({y_last}, {last}, {y_last.detach()})[0]));
  }
  {
    const Inputs big = make_inputs({3, kLength, 3 * 341}, 3 * 341);
    const at::Tensor last = big.signal.detach().narrow(0, 2, 1).clone().requires_grad_(true);
    const GatedParts y = short_conv_gate(big.signal, big.w, big.bias, kOrder);
    const GatedParts y_last = short_conv_gate(last, big.w, big.bias, kOrder);
    EXPECT_TRUE(y.product.narrow(0, 2, 1).equal(y_last.product));
    EXPECT_TRUE(y.gates.narrow(0, 2, 1).equal(y_last.gates));
    const at::Tensor dp = torch::autograd::grad({y.product}, {big.signal}, {y.gates.detach()})[0];
    EXPECT_TRUE(dp.narrow(0, 2, 1).equal(
        torch::autograd::grad({y_last.product}, {last}, {y_last.gates.detach()})[0]));
  }
}

TEST_F(ShortConvDevice, RunsOnTheCurrentStreamAndInCudaGraphs) {
  const Inputs projection = make_inputs({2, 200, 3 * 24}, 3 * 24);
  const Inputs rows = make_inputs({2, 5, 333}, 5);
  run_all(projection, rows);  // what libraries set up at their first call
  c10::cuda::device_synchronize();
  const c10::cuda::CUDAStream side = c10::cuda::getStreamFromPool();
  const c10::cuda::CUDAStreamGuard guard(side);
  std::vector<at::Tensor> captured;
  at::cuda::CUDAGraph graph;
  {
    const c10::NoGradGuard no_grad;
    graph.capture_begin();
    const GatedParts parts =
        short_conv_gate(projection.signal, projection.w, projection.bias, kOrder);
    captured = {parts.gates, parts.product, short_conv(rows.signal, rows.w, rows.bias)};
    graph.capture_end();
    projection.signal.mul_(-2.0);
    rows.signal.mul_(0.5);
  }
  graph.replay();
  side.synchronize();
  const GatedParts want = short_conv_gate(projection.signal, projection.w, projection.bias, kOrder);
  expect_equal(captured, {want.gates, want.product, short_conv(rows.signal, rows.w, rows.bias)});
}

TEST_F(ShortConvDevice, RunsOnTheDeviceOfItsTensors) {
  if (c10::cuda::device_count() < 2) {
    GTEST_SKIP() << "needs two GPUs, CUDA counts " << int{c10::cuda::device_count()};
  }
  const c10::Device second(c10::kCUDA, 1);
  const auto moved = [&](const Inputs& in) -> Inputs {
    const auto leaf = [&](const at::Tensor& t) {
      return t.detach().to(second).requires_grad_(true);
    };
    return {leaf(in.signal), leaf(in.w), leaf(in.bias)};
  };
  const Inputs projection = make_inputs({2, 200, 3 * 24}, 3 * 24);
  const Inputs rows = make_inputs({2, 5, 333}, 5);
  std::vector<at::Tensor> got = run_all(moved(projection), moved(rows));
  for (at::Tensor& x : got) {
    EXPECT_EQ(x.device(), second);
    x = x.to(testing::torch_device());
  }
  expect_equal(got, run_all(projection, rows));
}

}  // namespace
}  // namespace longconv::ops
#endif
