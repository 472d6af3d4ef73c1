// Golden G13 of the learned butterfly (models.md 8.5): matrices near the Fourier transform's and
// the results for det(100, (2, 3, N)), for the reference, the operator and the module. No LibTorch.
#pragma once

#include "core/reference/butterfly.h"
#include "tests/support/golden.h"

namespace longconv::testing {

struct ButterflyGolden {
  std::size_t length;  ///< N
  Golden real;
  Golden imaginary;
};
inline const ButterflyGolden kG13[] = {
    {64,
     {{"1.567477807", "1.68179707534", "1.98857181963"},
      "3.6906071308",
      "-1.97231643413",
      "5713.06065499"},
     {{"-.0188767726082", ".971593820531", "2.48411570215"},
      "-.525767279022",
      "-.295732729322",
      "6070.89291683"}},
    {512,
     {{".828027318513", "1.63846682682", "-4.22735998288"},
      "-2.50745662569",
      "120.303246944",
      "472271.307642"},
     {{"-.140864440076", "-.586580469633", "5.37397672059"},
      "-.764945971799",
      "9.95145456548",
      "375141.633706"}},
};

/// M_n as (n, n, 2) values: the Fourier transform's and .05 det(300 + n).
inline std::vector<double> g13_values(std::int64_t n) {
  const auto order = static_cast<std::size_t>(n);
  std::vector<double> out = det(300 + static_cast<int>(n), 2 * order * order);
  const std::vector<reference::Complex> dft = reference::dft_matrix(n);
  for (std::size_t i = 0; i < dft.size(); ++i) {
    out[2 * i] = dft[i].real() + 0.05 * out[2 * i];
    out[2 * i + 1] = dft[i].imag() + 0.05 * out[2 * i + 1];
  }
  return out;
}

/// (n, n, 2) values by n as complex matrices.
inline std::vector<reference::Complex> as_complex(const std::vector<double>& values) {
  std::vector<reference::Complex> out;
  for (std::size_t i = 0; i + 1 < values.size(); i += 2) {
    out.emplace_back(values[i], values[i + 1]);
  }
  return out;
}

inline reference::ButterflyMatrices g13_matrices() {
  reference::ButterflyMatrices out;
  for (const std::int64_t n : {2, 4, 8, 16}) out[n] = as_complex(g13_values(n));
  return out;
}

}  // namespace longconv::testing
