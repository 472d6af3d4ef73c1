// How near the models come to the published numbers: what the tests of goldens measure, kept as the
// table of docs/fidelity.md. `LONGCONV_WRITE_FIDELITY=1 test_models` writes that file anew; a run
// of all tests compares it with what was measured.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace longconv::testing {

/// One golden in one precision.
struct Fidelity {
  std::string golden;     ///< "G4 logits"
  std::string precision;  ///< "CpuFloat64", "CpuFloat32"
  double error = 0.0;     ///< largest, relative to the signal, beyond the printed digits
  double tolerance = 0.0;
};

/// Keeps the larger error where a golden has several figures.
void record_fidelity(const Fidelity& measured);

/// The whole document, of those on the CPU, in the order they were measured in.
std::string fidelity_document(const std::vector<Fidelity>& measured);

/// What is wrong with a document: a golden that was not measured, one that it lacks, an error above
/// the tolerance, a line that is no row. Empty if nothing is.
std::vector<std::string> fidelity_faults(std::string_view document,
                                         const std::vector<Fidelity>& measured);

}  // namespace longconv::testing
