// The learned butterfly of LongConv (arXiv:2302.06646; "block FFT" in its code; models.md 4.6): the
// Fourier transform in Cooley and Tukey's steps, with matrices that learn in place of its own,
//
//   X = M_N x                                                                     N <= 16
//   A' = M_16 A of A[p,q] = x[p n + q],  A'[p,q] *= exp(-2 pi i p q / N)          else, n = N / 16
//   X[16 r + p] = A''[p,r],  A'' the transform of each row of A', of length n
//
// and the long convolution with one such transform of the input, one of the filter, and the exact
// inverse:
//
//   y = Re ifft(T_u(u) T_k(k)) + skip u
//
// With M_n[a,b] = exp(-2 pi i a b / n) that is the convolution itself. With any other matrices an
// output depends on all inputs, the later ones too. LibTorch's complex products throughout.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/TensorOptions.h>

#include <array>
#include <cstdint>
#include <optional>

namespace longconv::ops {

/// The orders of the matrices: N is 16 times, 16 times, .. one of these.
inline constexpr std::array<std::int64_t, 4> kButterflyOrders = {2, 4, 8, 16};

/// M_2, M_4, M_8, M_16, each (Hm, n, n, 2), the last dimension real and imaginary part; Hm = 1 for
/// all channels, or H. float32, or float64 for float64 input.
using ButterflyMatrices = std::array<at::Tensor, kButterflyOrders.size()>;

/// exp(-2 pi i a b / n) as (n, n, 2), computed in float64.
at::Tensor dft_matrix(std::int64_t n, const at::TensorOptions& options);

/// X (.., H, N) complex, of x (.., H, N), real or complex in the matrices' precision, N a power of
/// two from 2 on. Differentiable in x and the matrices that N needs. Throws ShapeError.
at::Tensor butterfly_transform(const at::Tensor& x, const ButterflyMatrices& matrices);

struct ButterflyConvInputs {
  at::Tensor u;                         ///< (B, H, L): f64, f32, bf16 or f16
  at::Tensor k;                         ///< (C, H, K), K <= L: f32 (f64 with f64 u)
  std::optional<at::Tensor> k_reverse;  ///< like k: weighs the steps to come, from the next one on
  std::optional<at::Tensor> skip;       ///< (C, H), dtype of k
  ButterflyMatrices of_u;
  ButterflyMatrices of_k;
};

/// y (B, C, H, L) in u's dtype, whatever autocast says; transforms have the least power of two from
/// 2 L on. Differentiable in every tensor. Throws ShapeError.
at::Tensor butterfly_conv(const ButterflyConvInputs& inputs);

}  // namespace longconv::ops
