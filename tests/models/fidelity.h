// How near the models come to the published numbers: what tests measure, kept as docs/fidelity.md.
//
//   LONGCONV_WRITE_FIDELITY=1 test_models        writes that file anew
//   LONGCONV_WRITE_FIDELITY=PATH test_models     another file, started from the one in the sources
//
// What a run does not measure stays as the file has it, so that figures of a GPU outlive runs
// without one: nothing of a GPU is ever made up. A run of all tests that writes nothing compares
// the file with what was measured.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::testing {

/// One golden in one precision.
struct Fidelity {
  std::string golden;     ///< "G4 logits"
  std::string precision;  ///< "CpuFloat64", "CpuFloat32", "CudaFloat32", "CudaBfloat16"
  double error = 0.0;     ///< largest, relative to the signal, beyond the printed digits
  double tolerance = 0.0;
};

/// A published number that no precision changes: a count, a share, a rate.
struct PublishedFigure {
  std::string what;
  std::string published;
  std::string measured;
};

/// Keeps the larger error where a golden has several figures.
void record_fidelity(const Fidelity& measured);
void record_figure(const PublishedFigure& measured);
/// Of counts: "436,096".
void record_count(const std::string& what, std::int64_t published, std::int64_t measured);

/// What a run measured.
struct FidelityRun {
  std::vector<Fidelity> goldens;
  std::vector<PublishedFigure> figures;
  std::string gpu;    ///< name and date of the GPU behind Cuda figures; empty: none was there
  bool whole = true;  ///< all tests ran: rows that were not measured are gone
};

/// The whole document, rows in the order they were measured in; cells that `run` lacks are those of
/// `before`, or say that nothing is recorded.
std::string fidelity_document(const FidelityRun& run, std::string_view before);

/// What is wrong with a document beside a whole run without a GPU: a row that was not measured, one
/// that it lacks, an error above its tolerance, another figure, a line that is no row. Empty if
/// nothing is.
std::vector<std::string> fidelity_faults(std::string_view document, const FidelityRun& run);

}  // namespace longconv::testing
