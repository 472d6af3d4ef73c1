// A kept spectrum serves later calls of the same filter, and no other.
#include "core/ops/filter_spectrum.h"

#include "tests/core/ops/long_conv_tensors.h"

#include <ATen/ops/randn.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>

namespace longconv::ops {
namespace {

using testing::OnDevice;
using testing::RowAndType;

class KeptSpectrum : public OnDevice<::testing::TestWithParam<RowAndType>> {
 protected:
  /// Rows that read a spectrum count; direct sums have none.
  [[nodiscard]] static bool reads_one() {
    const kernels::LongConvVariant* variant = GetParam().row->variant;
    return variant == nullptr || variant->make_spectrum != nullptr;
  }
  static LongConvInputs make_inputs(std::int64_t length) {
    const at::TensorOptions wide =
        at::TensorOptions()
            .device(testing::torch_device())
            .dtype(testing::scalar_type(testing::wide(GetParam().dtype)));
    LongConvInputs in;
    in.u = at::randn({2, 3, length}, wide).to(testing::scalar_type(GetParam().dtype));
    in.k = at::randn({3, length}, wide).requires_grad_(true);
    in.skip = at::randn({3}, wide).requires_grad_(true);
    in.spectrum = std::make_shared<FilterSpectrum>();
    return in;
  }
  static at::Tensor run(const LongConvInputs& in, ConvMode mode = ConvMode::causal) {
    return long_conv_with(*GetParam().row, in, mode);
  }
  static at::Tensor run_fresh(LongConvInputs in, ConvMode mode = ConvMode::causal) {
    in.spectrum = nullptr;
    return run(in, mode);
  }
};

TEST_P(KeptSpectrum, ServesTheMicroBatchesOfAStep) {
  for (const std::int64_t length : {9, 100, 500}) {
    SCOPED_TRACE(length);
    LongConvInputs in = make_inputs(length);
    for (int pass = 0; pass < 3; ++pass) {
      in.u = at::randn(in.u.sizes(), in.u.options());
      const at::Tensor y = run(in);
      const at::Tensor fresh = run_fresh(in);
      EXPECT_TRUE(y.equal(fresh));
      const std::vector<at::Tensor> leaves = {in.k, *in.skip};
      const auto d = torch::autograd::grad({y.sum()}, leaves);
      const auto d_fresh = torch::autograd::grad({fresh.sum()}, leaves);
      EXPECT_TRUE(d[0].equal(d_fresh[0]));
      EXPECT_TRUE(d[1].equal(d_fresh[1]));
    }
    EXPECT_EQ(in.spectrum->made(), reads_one() ? 1 : 0);
  }
}

TEST_P(KeptSpectrum, IsMadeAnewForWhateverItDependsOn) {
  LongConvInputs in = make_inputs(64);
  run(in);
  std::int64_t made = in.spectrum->made();
  const auto expect_anew = [&](const char* what, ConvMode mode = ConvMode::causal) {
    EXPECT_TRUE(run(in, mode).equal(run_fresh(in, mode))) << what;
    EXPECT_EQ(in.spectrum->made(), reads_one() ? made + 1 : 0) << what;
    made = in.spectrum->made();
  };
  {
    const c10::NoGradGuard no_grad;
    in.k.mul_(-2.0);
    expect_anew("in place");
    in.k.set_data(in.k.mul(-2.0));
    expect_anew("set_data");
    in.k.data().mul_(-2.0);
    announce_writes();
    expect_anew("a raw write, announced");
  }
  in.k = in.k.detach().clone();
  expect_anew("another tensor");
  in.k = at::Tensor();  // its memory is free to be handed out again, but for the snapshot
  in.k = at::randn({3, 64}, in.skip->options().requires_grad(false));
  expect_anew("another tensor after the first is gone");
  in.u = in.u.narrow(2, 0, 50).contiguous();
  expect_anew("another length");
  if (GetParam().row->takes(
          {testing::test_device(), GetParam().dtype, 50, 50, 1, ConvMode::circular})) {
    in.k = in.k.narrow(1, 0, 50).contiguous();
    expect_anew("another filter");
    expect_anew("another mode", ConvMode::circular);
  }
}

TEST_P(KeptSpectrum, HoldsTheSkipOnlyWhereItsRowPutsItThere) {
  LongConvInputs in = make_inputs(64);
  run(in);
  in.skip = in.skip->detach().add(1.0);
  EXPECT_TRUE(run(in).equal(run_fresh(in)));
  EXPECT_EQ(in.spectrum->made(), !reads_one() ? 0 : GetParam().row->variant == nullptr ? 2 : 1);
}

INSTANTIATE_TEST_SUITE_P(EveryRow, KeptSpectrum, ::testing::ValuesIn(testing::rows_and_types()),
                         [](const auto& param_info) {
                           return testing::describe(param_info.param);
                         });

}  // namespace
}  // namespace longconv::ops
