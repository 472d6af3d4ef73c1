// The shared problems of tests/support/long_conv_cases.h as tensors on this program's device.
#pragma once

#include "core/ops/long_conv.h"
#include "tests/core/ops/device.h"
#include "tests/support/long_conv_cases.h"

#include <optional>
#include <vector>

namespace longconv::testing {

inline ops::LongConvInputs to_inputs(const reference::LongConv& x, Dtype dtype) {
  const auto signal = [&](const std::vector<double>& values) {
    return to_tensor(values, {x.batch, x.channels, x.length}, dtype);
  };
  const auto filter = [&](const std::vector<double>& values, std::int64_t taps) {
    const at::Tensor k = to_tensor(values, {x.filters, x.channels, taps}, wide(dtype));
    return x.filters == 1 ? k.squeeze(0) : k;
  };
  ops::LongConvInputs in;
  in.u = signal(x.u);
  in.k = filter(x.k, x.taps);
  if (!x.k_reverse.empty()) {
    in.k_reverse = filter(x.k_reverse, x.reverse_taps);
  }
  if (!x.skip.empty()) {
    in.skip = filter(x.skip, 1).squeeze(-1);
  }
  if (!x.gate_in.empty()) {
    in.gate_in = signal(x.gate_in);
  }
  if (!x.gate_out.empty()) {
    in.gate_out = signal(x.gate_out);
  }
  return in;
}

/// The inputs that are there, each marked as wanting a gradient.
inline std::vector<at::Tensor> mark_leaves(ops::LongConvInputs& in) {
  std::vector<at::Tensor> leaves;
  const auto mark = [&](at::Tensor& t) {
    t = t.detach().requires_grad_(true);
    leaves.push_back(t);
  };
  mark(in.u);
  mark(in.k);
  for (std::optional<at::Tensor>* optional : {&in.k_reverse, &in.skip, &in.gate_in, &in.gate_out}) {
    if (*optional) {
      mark(**optional);
    }
  }
  return leaves;
}

/// Every pair of a row and a dtype that run on this program's device.
struct RowAndType {
  const ops::LongConvRow* row;
  Dtype dtype;
};

inline std::vector<RowAndType> rows_and_types() {
  std::vector<RowAndType> all;
  for (const ops::LongConvRow& row : ops::long_conv_rows()) {
    for (const Dtype dtype : {Dtype::f64, Dtype::f32, Dtype::bf16, Dtype::f16}) {
      if (row.takes({test_device(), dtype, 1, 1})) {
        all.push_back({&row, dtype});
      }
    }
  }
  return all;
}

inline std::string describe(const RowAndType& c) {
  return fmt::format("{}_{}", c.row->name, name(c.dtype));
}

/// How the row sums, for the bounds on its error.
inline Sums sums_of(const ops::LongConvRow& row) {
  if (row.variant == nullptr) {
    return Sums::by_wide_transform;
  }
  if (!row.variant->by_transform) {
    return Sums::direct;
  }
  return row.variant->dtype == Dtype::f32 ? Sums::by_wide_transform : Sums::by_half_transform;
}

}  // namespace longconv::testing
