// The learned butterfly against its plain-loop twin, its gradients, and the convolution through it.
#include "core/ops/butterfly.h"

#include "core/base/error.h"
#include "core/ops/long_conv.h"
#include "tests/core/ops/device.h"
#include "tests/support/butterfly_golden.h"
#include "tests/support/gradcheck.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tolerance.h"
#include "tests/support/values.h"

#include <ATen/ops/real.h>
#include <ATen/ops/view_as_real.h>
#include <gmock/gmock.h>

#include <algorithm>

namespace longconv::ops {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::OnDevice;
using testing::to_tensor;
using testing::to_values;

at::Tensor random(at::IntArrayRef shape, std::uint64_t seed, Dtype dtype) {
  const auto count = static_cast<std::size_t>(c10::multiply_integers(shape));
  return to_tensor(testing::random_values(count, seed, dtype), shape, dtype);
}

/// Random matrices of H channels or one for all; or the Fourier transform's.
ButterflyMatrices random_matrices(std::int64_t count, Dtype dtype) {
  ButterflyMatrices out;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t n = kButterflyOrders[i];
    out[i] = random({count, n, n, 2}, 50 + i, dtype);
  }
  return out;
}
ButterflyMatrices exact_matrices(Dtype dtype) {
  ButterflyMatrices out;
  const auto options =
      at::TensorOptions(testing::scalar_type(dtype)).device(testing::torch_device());
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = dft_matrix(kButterflyOrders[i], options).unsqueeze(0);
  }
  return out;
}

struct Precision {
  Dtype dtype;
  double tolerance;
};
class Butterfly : public OnDevice<::testing::TestWithParam<Precision>> {};

TEST_P(Butterfly, IsItsReferenceTwin) {
  const auto [dtype, tolerance] = GetParam();
  constexpr std::int64_t kChannels = 3;
  for (const std::int64_t count : {std::int64_t{1}, kChannels}) {
    const ButterflyMatrices matrices = random_matrices(count, dtype);
    for (std::int64_t n = 2; n <= 4096; n *= 2) {
      SCOPED_TRACE(std::to_string(count) + " matrices, N = " + std::to_string(n));
      const at::Tensor x = random({2, kChannels, n}, 7, dtype);
      std::vector<double> want;
      for (std::int64_t row = 0; row < 2 * kChannels; ++row) {
        reference::ButterflyMatrices twin;
        for (std::size_t i = 0; i < matrices.size(); ++i) {
          const std::int64_t channel = count == 1 ? 0 : row % kChannels;
          twin[kButterflyOrders[i]] = testing::as_complex(to_values(matrices[i][channel]));
        }
        const std::vector<double> values = to_values(x.flatten(0, 1)[row]);
        for (const auto& value : reference::butterfly({values.begin(), values.end()}, twin)) {
          want.push_back(value.real());
          want.push_back(value.imag());
        }
      }
      const at::Tensor got = butterfly_transform(x, matrices);
      ASSERT_EQ(got.sizes(), x.sizes());
      const double signal = testing::max_norm(want);
      EXPECT_LE(testing::max_error(to_values(at::view_as_real(got)), want), tolerance * signal);
      EXPECT_GT(signal, 0.0) << "zeros would pass";
    }
  }
}

TEST_P(Butterfly, WithExactMatricesConvolves) {
  const auto [dtype, tolerance] = GetParam();
  const ButterflyMatrices exact = exact_matrices(dtype);
  for (const std::int64_t length : {1, 2, 8, 13, 64, 300}) {  // any length, not only powers of two
    for (const bool ahead : {false, true}) {
      SCOPED_TRACE(std::to_string(length) + (ahead ? ", ahead" : ""));
      LongConvInputs in{random({2, 3, length}, 1, dtype),
                        random({2, 3, length}, 2, dtype),
                        std::nullopt,
                        random({2, 3}, 3, dtype),
                        std::nullopt,
                        std::nullopt};
      if (ahead) in.k_reverse = random({2, 3, length}, 4, dtype);
      const at::Tensor want = long_conv(in, ahead ? ConvMode::bidirectional : ConvMode::causal);
      const at::Tensor got = butterfly_conv({in.u, in.k, in.k_reverse, in.skip, exact, exact});
      ASSERT_EQ(got.sizes(), want.sizes());
      EXPECT_LE(testing::max_error(to_values(got), to_values(want)),
                tolerance * testing::max_norm(to_values(want)));
    }
  }
}

// float32: 4,096 points are sums of 4,096 products, in three steps.
INSTANTIATE_TEST_SUITE_P(EveryPrecision, Butterfly,
                         ::testing::Values(Precision{Dtype::f64, 1e-12},
                                           Precision{Dtype::f32, 1e-5}),
                         [](const auto& test) { return std::string(name(test.param.dtype)); });

class ButterflyOp : public OnDevice<::testing::Test> {};

TEST_F(ButterflyOp, HasGradientsInInputAndMatrices) {
  for (const std::int64_t count : {1, 2}) {
    for (const std::int64_t n : {8, 64}) {
      const ButterflyMatrices all = random_matrices(count, Dtype::f64);
      // Of the orders 2, 4, 8, 16: 64 is 16 times 4, 8 stands alone.
      const std::vector<std::size_t> used =
          n == 8 ? std::vector<std::size_t>{2} : std::vector<std::size_t>{1, 3};
      testing::Tensors inputs = {random({2, 2, n}, 9, Dtype::f64)};
      for (const std::size_t i : used) inputs.push_back(all[i]);
      EXPECT_TRUE(testing::gradcheck(
          [&](const testing::Tensors& x) {
            ButterflyMatrices matrices = all;
            for (std::size_t i = 0; i < used.size(); ++i) matrices[used[i]] = x[1 + i];
            return at::view_as_real(butterfly_transform(x[0], matrices));
          },
          inputs))
          << n << ", " << count;
    }
  }
}

TEST_F(ButterflyOp, TheConvolutionHasGradientsInEveryTensor) {
  const ButterflyMatrices of_u = random_matrices(1, Dtype::f64);
  const ButterflyMatrices of_k = random_matrices(3, Dtype::f64);
  // 2 L = 32 points: orders 16 and 2.
  const testing::Tensors inputs = {random({2, 3, 16}, 1, Dtype::f64),
                                   random({2, 3, 12}, 2, Dtype::f64),
                                   random({2, 3, 16}, 3, Dtype::f64),
                                   random({2, 3}, 4, Dtype::f64),
                                   of_u[0],
                                   of_u[3],
                                   of_k[0],
                                   of_k[3]};
  testing::GradcheckOptions options;
  options.samples = 40;
  EXPECT_TRUE(testing::gradcheck(
      [&](const testing::Tensors& x) {
        ButterflyConvInputs in{x[0], x[1], x[2], x[3], of_u, of_k};
        in.of_u[0] = x[4];
        in.of_u[3] = x[5];
        in.of_k[0] = x[6];
        in.of_k[3] = x[7];
        return butterfly_conv(in);
      },
      inputs, options));
}

TEST_F(ButterflyOp, KeepsTheInputsDtype) {
  const ButterflyMatrices exact = exact_matrices(Dtype::f32);
  const at::Tensor u = random({1, 2, 32}, 1, Dtype::f32);
  const at::Tensor k = random({1, 2, 32}, 2, Dtype::f32);
  const at::Tensor want = butterfly_conv({u, k, std::nullopt, std::nullopt, exact, exact});
  const at::Tensor got =
      butterfly_conv({u.to(at::kBFloat16), k, std::nullopt, std::nullopt, exact, exact});
  EXPECT_EQ(got.scalar_type(), at::kBFloat16);
  EXPECT_LE(testing::max_error(to_values(got), to_values(want)),
            2e-2 * testing::max_norm(to_values(want)));
}

TEST_F(ButterflyOp, ErrorsSayWhatWasWanted) {
  const ButterflyMatrices exact = exact_matrices(Dtype::f32);
  const at::Tensor x = random({2, 3, 12}, 1, Dtype::f32);
  EXPECT_THAT(message_of<ShapeError>([&] { butterfly_transform(x, exact); }),
              AllOf(HasSubstr("N a power of two"), HasSubstr("[2, 3, 12]")));
  ButterflyMatrices wrong = exact;
  wrong[2] = random({2, 8, 8, 2}, 1, Dtype::f32);
  EXPECT_THAT(message_of<ShapeError>([&] {
                butterfly_transform(random({2, 3, 8}, 1, Dtype::f32), wrong);
              }),
              AllOf(HasSubstr("order 8 must be [1 or 3, 8, 8, 2]"), HasSubstr("[2, 8, 8, 2]")));
  EXPECT_THAT(message_of<ShapeError>([&] {
                butterfly_conv({x, random({1, 3, 13}, 1, Dtype::f32), std::nullopt, std::nullopt,
                                exact, exact});
              }),
              AllOf(HasSubstr("1 to 12 taps"), HasSubstr("[1, 3, 13]")));
  EXPECT_THAT(message_of<ShapeError>([&] {
                butterfly_conv({x, random({1, 3, 12}, 1, Dtype::f32), std::nullopt,
                                random({2, 3}, 1, Dtype::f32), exact, exact});
              }),
              HasSubstr("skip"));
}

}  // namespace
}  // namespace longconv::ops
