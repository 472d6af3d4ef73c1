// The learned butterfly in complex float64 by plain loops (LongConv, arXiv:2302.06646; models.md
// 4.6), one row:
//
//   X = M_N x                                                            N <= 16
//   A'[p,q] = exp(-2 pi i p q / N) sum_j M_16[p,j] x[j n + q]            else, n = N / 16, p < 16
//   X[16 r + p] = (A'[p,:] transformed to length n)[r]
#pragma once

#include <complex>
#include <cstdint>
#include <map>
#include <vector>

namespace longconv::reference {

using Complex = std::complex<double>;

/// M_n by n in {2, 4, 8, 16}, row-major [n, n].
using ButterflyMatrices = std::map<std::int64_t, std::vector<Complex>>;

/// exp(-2 pi i a b / n): with these the butterfly is the discrete Fourier transform.
std::vector<Complex> dft_matrix(std::int64_t n);

/// The transform of x, whose length is a power of two from 2 on.
std::vector<Complex> butterfly(const std::vector<Complex>& x, const ButterflyMatrices& matrices);

}  // namespace longconv::reference
