// The short convolution of Hyena's projection, its split and its first gate in one pass, with
// autograd (arXiv:2302.10866, definition 3.1):
//
//   x_0, .., x_{N-1}, v = split(short_conv(p))
//   gates = x_0, .., x_{N-2};   product = x_{N-1} v
//
// p is read as the matrix product leaves it, (B, L, C); the results have time last, as long
// convolutions read. Asks the table of core/kernels/short_conv_gate.h first; its own last row
// `torch_conv1d` takes the rest.
#pragma once

#include "core/kernels/short_conv_gate.h"

#include <ATen/core/Tensor.h>

#include <optional>
#include <span>

namespace longconv::ops {

struct GatedParts {
  at::Tensor gates;    ///< (B, (N-1) D, L): x_0, .., x_{N-2}, D channels each
  at::Tensor product;  ///< (B, D, L): x_{N-1} v
};

/// p (B, L, (N+1) D): f64, f32, bf16 or f16; w ((N+1) D, K), 1 <= K <= 8, its last tap the present
/// step, and bias ((N+1) D) in float32 (float64 with f64 p); order N >= 1 (1: no gates). Results
/// are contiguous, in p's dtype; sums and the product run in float32 or wider. Differentiable
/// (twice). Throws ShapeError.
GatedParts short_conv_gate(const at::Tensor& p, const at::Tensor& w,
                           const std::optional<at::Tensor>& bias, std::int64_t order);

/// One way to run it: a variant of the kernels' table, or (last, `variant` is nullptr) conv1d.
struct ShortConvGateRow {
  const char* name;
  const kernels::ShortConvGateVariant* variant;
  [[nodiscard]] bool takes(Device device, Dtype dtype) const;
};

/// The rows short_conv_gate() chooses from, best first. Tests and benchmarks walk them.
std::span<const ShortConvGateRow> short_conv_gate_rows();

/// short_conv_gate() through the given row; throws UnsupportedError if it does not take p.
GatedParts short_conv_gate_with(const ShortConvGateRow& row, const at::Tensor& p,
                                const at::Tensor& w, const std::optional<at::Tensor>& bias,
                                std::int64_t order);

}  // namespace longconv::ops
