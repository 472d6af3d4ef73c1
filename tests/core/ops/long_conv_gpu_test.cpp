// What the fused rows promise beyond the shared cases: their error at every length regime, scales,
// batch invariance, 64-bit indexing, streams, CUDA graphs, several GPUs. The measure is the
// fallback in float64, which long_conv_test.cpp holds to the plain loops.
#include "tests/core/ops/long_conv_tensors.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#ifdef LONGCONV_WITH_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

#include <ostream>

namespace longconv::ops {
namespace {

using testing::OnDevice;

struct Problem {
  Dtype dtype = Dtype::bf16;
  std::int64_t batch = 3, channels = 4, length = 1024;
  ConvMode mode = ConvMode::causal;
  bool gated = false, smooth = false;
  std::int64_t filters = 1;
};

std::string describe(const Problem& p) {
  constexpr const char* kModes[] = {"causal", "bidirectional", "conjugate", "circular"};
  return fmt::format("{}_L{}_{}{}{}{}", name(p.dtype), p.length, kModes[static_cast<int>(p.mode)],
                     p.gated ? "_gated" : "", p.smooth ? "_smooth" : "",
                     p.filters > 1 ? fmt::format("_{}filters", p.filters) : "");
}
void PrintTo(const Problem& p, std::ostream* out) { *out << describe(p); }

/// N(0,1) signals; decaying noise or a smooth decay as filter, of unit norm.
LongConvInputs make_inputs(const Problem& p, double scale = 1.0) {
  const at::TensorOptions wide = at::TensorOptions().device(testing::torch_device());
  const auto signal = [&](double by) {
    return at::randn({p.batch, p.channels, p.length}, wide)
        .mul(by)
        .to(testing::scalar_type(p.dtype));
  };
  const auto filter = [&] {
    const at::Tensor lag = at::arange(p.length, wide).div(static_cast<double>(p.length));
    std::vector<std::int64_t> shape = {p.channels, p.length};
    if (p.filters > 1) shape.insert(shape.begin(), p.filters);
    const at::Tensor decay = at::exp(lag.mul(p.smooth ? -20.0 : -3.0)).expand(shape);
    const at::Tensor k = p.smooth ? decay.clone() : at::randn(shape, wide).mul(decay);
    return k.div(k.norm(2, {-1}, true));
  };
  LongConvInputs in;
  in.u = signal(scale);
  in.k = filter();
  if (testing::two_sided(p.mode)) {
    in.k_reverse = filter();
  }
  if (p.gated) {
    in.gate_in = signal(1.0);
    in.gate_out = signal(1.0);
  }
  return in;
}

LongConvInputs exact(const LongConvInputs& in) {
  const auto wide = [](const std::optional<at::Tensor>& t) {
    return t ? std::optional<at::Tensor>(t->detach().to(at::kDouble)) : std::nullopt;
  };
  return {in.u.detach().to(at::kDouble),
          in.k.detach().to(at::kDouble),
          wide(in.k_reverse),
          wide(in.skip),
          wide(in.gate_in),
          wide(in.gate_out)};
}

double relative_l2(const at::Tensor& got, const at::Tensor& want) {
  return got.detach().to(at::kDouble).sub(want.detach()).norm().item<double>() /
         want.detach().norm().item<double>();
}

/// y and all gradients of the chosen row, and of the fallback in float64.
struct Both {
  std::vector<at::Tensor> got, want;
};
Both run_both(LongConvInputs in, ConvMode mode, double gradient_scale = 1.0) {
  LongConvInputs wide = exact(in);
  const std::vector<at::Tensor> leaves = testing::mark_leaves(in);
  const std::vector<at::Tensor> wide_leaves = testing::mark_leaves(wide);
  const at::Tensor y = long_conv(in, mode);
  const at::Tensor want = long_conv_with(long_conv_rows().back(), wide, mode);
  const at::Tensor dy =
      at::randn(y.sizes(), y.options().dtype(at::kFloat)).mul(gradient_scale).to(y.scalar_type());
  Both both{{y}, {want}};
  for (const at::Tensor& d : torch::autograd::grad({y}, leaves, {dy})) {
    both.got.push_back(d);
  }
  for (const at::Tensor& d : torch::autograd::grad({want}, wide_leaves, {dy.to(at::kDouble)})) {
    both.want.push_back(d);
  }
  return both;
}

/// What docs/kernels.md promises. A two-sided filter's row is complex, so that half of the product,
/// whose noise stays, is thrown away. With several filters du and the gates' gradients are sums of
/// parts rounded to `dtype`.
double promised(const Problem& p) {
  const bool two_sided = p.mode != ConvMode::causal;
  const bool in_passes = p.length > 32768;  // one more rounding a stage of the outer transform
  if (p.filters > 1 && p.dtype == Dtype::bf16) {
    return 2.7e-3;
  }
  if (p.dtype == Dtype::f32) {
    return 2e-6;
  }
  if (p.dtype == Dtype::f16) {
    if (in_passes) {
      return two_sided ? 1.5e-3 : 1.3e-3;
    }
    return two_sided ? 1.25e-3 : 1.1e-3;
  }
  if (in_passes) {
    return 2.3e-3;
  }
  return p.smooth ? 2.2e-3 : two_sided ? 2.1e-3 : 2.0e-3;
}

class FusedLongConv : public OnDevice<::testing::TestWithParam<Problem>> {};

TEST_P(FusedLongConv, KeepsItsPromisedError) {
  const Problem& p = GetParam();
  const LongConvInputs in = make_inputs(p);
  ASSERT_NE(choose_long_conv_row(in, p.mode).variant, nullptr) << "no fused row took it";
  const Both both = run_both(in, p.mode);
  for (std::size_t i = 0; i < both.got.size(); ++i) {
    EXPECT_LE(relative_l2(both.got[i], both.want[i]), promised(p))
        << (i == 0 ? "y" : "gradient " + std::to_string(i - 1));
    EXPECT_GT(both.want[i].norm().item<double>(), 0.0) << "zeros would have an error of 1";
  }
}

/// Enough rows that the error of a few short ones is that of many.
std::int64_t channels_for(std::int64_t length) { return length < 256 ? 64 : 4; }

std::vector<Problem> every_regime() {
  std::vector<Problem> all;
  for (const Dtype dtype : {Dtype::bf16, Dtype::f16, Dtype::f32}) {
    for (const std::int64_t length :
         {64,   96,   256,   384,   500,   512,   513,   1024,   1999,   2048,   4096,
          5000, 8192, 16384, 20001, 32767, 32768, 40000, 131072, 300001, 500000, 1 << 20}) {
      for (const bool gated : {false, true}) {
        Problem p;
        p.dtype = dtype;
        p.channels = channels_for(length);
        p.length = length;
        p.gated = gated;
        all.push_back(p);
      }
    }
    for (const std::int64_t length : {1024, 4096, 32768, 200000}) {
      Problem p;
      p.dtype = dtype;
      p.length = length;
      p.smooth = true;
      all.push_back(p);
    }
    for (const std::int64_t length : {700, 8192, 20001}) {
      for (const bool gated : {false, true}) {
        Problem p;
        p.dtype = dtype;
        p.length = length;
        p.gated = gated;
        p.filters = 2;
        p.mode = gated ? ConvMode::bidirectional : ConvMode::causal;
        all.push_back(p);
      }
    }
    for (const std::int64_t length : {33, 250, 500, 600, 6000, 30000, 100001}) {
      for (const ConvMode mode :
           {ConvMode::bidirectional, ConvMode::conjugate, ConvMode::circular}) {
        Problem p;
        p.dtype = dtype;
        p.channels = channels_for(length);
        p.length = length;
        p.mode = mode;
        p.gated = true;
        all.push_back(p);
      }
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(EveryRegime, FusedLongConv, ::testing::ValuesIn(every_regime()),
                         [](const auto& param_info) { return describe(param_info.param); });

class FusedLongConvRows : public OnDevice<::testing::TestWithParam<std::int64_t>> {
 protected:
  Problem problem() const {
    Problem p;
    p.length = GetParam();
    return p;
  }
};

TEST_P(FusedLongConvRows, KeepTheirAccuracyAtAnyScale) {
  Problem p = problem();
  for (const Dtype dtype : {Dtype::bf16, Dtype::f32}) {
    p.dtype = dtype;
    for (const double scale : {1e4, 1e-6, 1e-20}) {
      const Both both = run_both(make_inputs(p, scale), ConvMode::causal, 1e-6);
      for (std::size_t i = 0; i < both.got.size(); ++i) {
        EXPECT_LE(relative_l2(both.got[i], both.want[i]), promised(p))
            << describe(p) << " " << scale << " " << i;
      }
    }
  }
}

TEST_P(FusedLongConvRows, StayInRangeForConstantsAndDeltas) {
  // A constant's spectrum is one value sqrt(M) times its size; a delta's is flat.
  LongConvInputs in = make_inputs(problem());
  in.u = at::full_like(in.u, 300.0);
  for (const bool delta : {false, true}) {
    if (delta) {
      in.u = in.u.mul(0.0);
      in.u.select(2, GetParam() / 3).fill_(2e4);
    }
    const at::Tensor want = long_conv_with(long_conv_rows().back(), exact(in), ConvMode::causal);
    const double bound = GetParam() > 32768 ? 2.7e-3 : 2.5e-3;
    EXPECT_LE(relative_l2(long_conv(in, ConvMode::causal), want), bound) << delta;
  }
}

TEST_P(FusedLongConvRows, AddTheSkipWithoutLosingASmallFilter) {
  LongConvInputs in = make_inputs(problem());
  in.u = in.u.to(at::kHalf);
  in.k = in.k.mul(1.0 / 64.0);
  LongConvInputs filter = in;
  in.skip = at::full_like(in.k.select(1, 0), 1.0);
  const at::Tensor y = long_conv(in, ConvMode::causal).to(at::kDouble);
  const at::Tensor want = long_conv_with(long_conv_rows().back(), exact(filter), ConvMode::causal);
  // y is rounded at 2^-11 of about 1, the filter's part is 1/64 of that.
  EXPECT_LE(relative_l2(y.sub(in.u.to(at::kDouble)), want), 64.0 * 3e-4);
  EXPECT_GT(want.norm().item<double>(), 0.1);
}

TEST_P(FusedLongConvRows, GiveARowTheSameBitsInAnyCompany) {
  Problem p = problem();
  p.batch = 37;
  for (const Dtype dtype : {Dtype::bf16, Dtype::f32}) {
    p.dtype = dtype;
    LongConvInputs all = make_inputs(p);
    all.u.requires_grad_(true);
    const at::Tensor y = long_conv(all, ConvMode::causal);
    const at::Tensor du = torch::autograd::grad({y}, {all.u}, {y.detach()})[0];
    for (const std::int64_t row : {0, 20, 36}) {
      LongConvInputs one = all;
      one.u = all.u.detach().narrow(0, row, 1).clone().requires_grad_(true);
      const at::Tensor alone = long_conv(one, ConvMode::causal);
      EXPECT_TRUE(alone.equal(y.narrow(0, row, 1))) << describe(p) << " " << row;
      EXPECT_TRUE(
          torch::autograd::grad({alone}, {one.u}, {alone.detach()})[0].equal(du.narrow(0, row, 1)))
          << describe(p) << " " << row;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryKernel, FusedLongConvRows,
                         ::testing::Values(100, 300, 1000, 2048, 4096, 8192, 16384, 32768, 70000));

#ifdef LONGCONV_WITH_CUDA

class FusedLongConvDevice : public OnDevice<::testing::Test> {};

TEST_F(FusedLongConvDevice, IndexesBeyondTwoToThe31) {
  Problem p;
  p.batch = 66;
  p.channels = 1000;
  p.length = 32768;  // 2.16e9 elements
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
  c10::cuda::device_synchronize();
  ASSERT_EQ(cudaMemGetInfo(&free_bytes, &total_bytes), cudaSuccess);
  if (free_bytes < 24ULL << 30) {
    GTEST_SKIP() << "needs 24 GiB of GPU memory, " << (free_bytes >> 20) << " MiB are free";
  }
  LongConvInputs in;
  in.u = at::randn({p.batch, p.channels, p.length},
                   at::TensorOptions().device(testing::torch_device()).dtype(at::kBFloat16));
  Problem filter = p;
  filter.batch = 1;
  in.k = make_inputs(filter).k;
  in.u.requires_grad_(true);
  const at::Tensor y = long_conv(in, ConvMode::causal);
  const at::Tensor du = torch::autograd::grad({y}, {in.u}, {y.detach()})[0];
  LongConvInputs last = in;
  last.u = in.u.detach().narrow(0, p.batch - 1, 1).clone().requires_grad_(true);
  const at::Tensor alone = long_conv(last, ConvMode::causal);
  EXPECT_TRUE(alone.equal(y.narrow(0, p.batch - 1, 1)));
  EXPECT_TRUE(torch::autograd::grad({alone}, {last.u}, {alone.detach()})[0].equal(
      du.narrow(0, p.batch - 1, 1)));
}

TEST_F(FusedLongConvDevice, CanBeCapturedInAGraphAndReplayed) {
  for (const std::int64_t length : {400, 4096, 32768, 100000}) {
    Problem p;
    p.length = length;
    p.gated = true;
    const LongConvInputs in = make_inputs(p);
    const c10::cuda::CUDAStream side = c10::cuda::getStreamFromPool();
    const c10::cuda::CUDAStreamGuard guard(side);
    at::Tensor y = long_conv(in, ConvMode::causal);  // a warm-up outside the capture
    at::cuda::CUDAGraph graph;
    graph.capture_begin();
    y = long_conv(in, ConvMode::causal);
    graph.capture_end();
    // The replay reads what the tensors hold then: signal and filter.
    in.u.mul_(-2.0);
    in.k.mul_(0.5);
    graph.replay();
    side.synchronize();
    EXPECT_TRUE(y.equal(long_conv(in, ConvMode::causal))) << length;
    EXPECT_GT(y.abs().max().item<float>(), 0.0F);
  }
}

TEST_F(FusedLongConvDevice, RunsOnTheDeviceOfItsTensors) {
  if (c10::cuda::device_count() < 2) {
    GTEST_SKIP() << "needs two GPUs, CUDA counts " << int{c10::cuda::device_count()};
  }
  const c10::Device second(c10::kCUDA, 1);
  for (const std::int64_t length : {400, 4096}) {
    Problem p;
    p.length = length;
    const LongConvInputs first = make_inputs(p);
    LongConvInputs other = first;
    other.u = first.u.to(second);
    other.k = first.k.to(second);
    const at::Tensor y = long_conv(other, ConvMode::causal);
    EXPECT_EQ(y.device(), second);
    EXPECT_TRUE(y.to(first.u.device()).equal(long_conv(first, ConvMode::causal)));
    EXPECT_EQ(c10::cuda::current_device(), 0);
  }
}

#endif

}  // namespace
}  // namespace longconv::ops
