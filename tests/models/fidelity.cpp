#include "tests/models/fidelity.h"

#include "core/files/atomic_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <map>

namespace longconv::testing {
namespace {

constexpr const char* kDocument = LONGCONV_SOURCE_DIR "/docs/fidelity.md";
constexpr const char* kPrecisions[] = {"CpuFloat64", "CpuFloat32"};

constexpr const char* kHead = R"(# Fidelity

How far the models are from the numbers that the papers' own programs give, on the CPU: the largest error of each golden's
values, sums and sums of squares (of gradients: of every tensor listed), relative to the signal, beyond the digits that the golden
is printed with; 0 means that all of these are met. G2 and G3 are the Hyena operator of orders 2 and 3, G4 and G5 language models
(HyenaDNA, Hyena-GPT), G6 and G7 M2-BERT, G8 and G10 LongConv, G11 H3 with long convolutions, G15 attention, G16 the heads; an "s"
marks stronger weights, under which the filters show. Each test also shows that an output of zeros, or one without its filter, does not
pass.

This table is written by the tests themselves, and a test fails if it does not fit what they measure:

    LONGCONV_WRITE_FIDELITY=1 build/release/bin/test_models --gtest_brief=1

On a GPU the same goldens are held to the same tolerances (`ctest -L gpu`). Implicit filters alone, schedules and parameter counts have
tests of their own; the learned butterfly (G13) is not here.

| golden | float64 | allowed | float32 | allowed |
|---|---|---|---|---|
)";

std::vector<Fidelity>& recorded() {
  static std::vector<Fidelity> all;
  return all;
}

/// The two precisions of each golden, in the order of the first.
std::vector<std::pair<std::string, std::map<std::string, Fidelity>>> by_golden(
    const std::vector<Fidelity>& measured) {
  std::vector<std::pair<std::string, std::map<std::string, Fidelity>>> out;
  for (const Fidelity& each : measured) {
    if (std::find(std::begin(kPrecisions), std::end(kPrecisions), each.precision) ==
        std::end(kPrecisions)) {
      continue;
    }
    auto found = std::find_if(out.begin(), out.end(),
                              [&](const auto& row) { return row.first == each.golden; });
    if (found == out.end()) found = out.insert(out.end(), {each.golden, {}});
    found->second[each.precision] = each;
  }
  return out;
}

std::vector<std::string> cells(std::string_view line) {
  std::vector<std::string> out;
  line.remove_prefix(1);
  while (!line.empty()) {
    const std::size_t end = line.find('|');
    std::string_view cell = line.substr(0, end);
    while (cell.starts_with(' ')) cell.remove_prefix(1);
    while (cell.ends_with(' ')) cell.remove_suffix(1);
    if (end == std::string_view::npos) break;
    out.emplace_back(cell);
    line.remove_prefix(end + 1);
  }
  return out;
}

bool read_number(const std::string& cell, double& value) {
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  return error == std::errc() && end == cell.data() + cell.size();
}

/// Runs when all tests have: only a whole run has measured everything.
class Document : public ::testing::Environment {
 public:
  void TearDown() override {
    const auto& unit = *::testing::UnitTest::GetInstance();
    if (unit.test_to_run_count() != unit.total_test_count()) return;
    if (std::getenv("LONGCONV_WRITE_FIDELITY") != nullptr) {
      files::write_atomic(kDocument, fidelity_document(recorded()));
      return;
    }
    ASSERT_TRUE(std::filesystem::exists(kDocument)) << kDocument;
    for (const std::string& fault : fidelity_faults(files::read_text(kDocument), recorded())) {
      ADD_FAILURE() << kDocument << ": " << fault
                    << "\n  LONGCONV_WRITE_FIDELITY=1 test_models writes it anew";
    }
  }
};

const auto* const kRegistered = ::testing::AddGlobalTestEnvironment(new Document);

TEST(FidelityDocument, IsCheckedAgainstWhatWasMeasured) {
  ASSERT_NE(kRegistered, nullptr);
  const std::vector<Fidelity> measured = {{"G4 logits", "CpuFloat64", 0.0, 1e-10},
                                          {"G4 logits", "CpuFloat32", 3e-7, 1e-4},
                                          {"G4 logits", "CudaFloat32", 5e-6, 1e-4},
                                          {"G5 logits", "CpuFloat64", 2e-13, 1e-10},
                                          {"G5 logits", "CpuFloat32", 4e-7, 1e-4}};
  const std::string good = fidelity_document(measured);
  EXPECT_NE(good.find("| G4 logits | 0 | 1e-10 | 3.0e-07 | 1e-04 |\n"), std::string::npos) << good;
  EXPECT_TRUE(fidelity_faults(good, measured).empty());
  const auto faults = [&](const std::string& document) {
    const std::vector<std::string> found = fidelity_faults(document, measured);
    return found.empty() ? std::string() : found.front();
  };
  EXPECT_EQ(faults(good + "| G99 | 0 | 1e-10 | 0 | 1e-04 |\n"),
            "lists G99, which no test measures");
  std::string less = good;
  less.erase(less.find("| G5"));
  EXPECT_EQ(faults(less), "lacks G5 logits");
  std::string worse = good;
  worse.replace(worse.find("3.0e-07"), 7, "3.0e-03");
  EXPECT_EQ(faults(worse), "G4 logits: error 3.0e-03 of CpuFloat32 is above 1e-04");
  std::string broken = good;
  broken.replace(broken.find("3.0e-07"), 7, "small");
  EXPECT_EQ(faults(broken), "G4 logits: expected numbers, got \"small\"");
}

}  // namespace

void record_fidelity(const Fidelity& measured) {
  for (Fidelity& each : recorded()) {
    if (each.golden == measured.golden && each.precision == measured.precision) {
      each.error = std::max(each.error, measured.error);
      return;
    }
  }
  recorded().push_back(measured);
}

std::string fidelity_document(const std::vector<Fidelity>& measured) {
  std::string out = kHead;
  for (const auto& [golden, rows] : by_golden(measured)) {
    out += fmt::format("| {} |", golden);
    for (const char* precision : kPrecisions) {
      const auto found = rows.find(precision);
      const Fidelity row = found == rows.end() ? Fidelity{} : found->second;
      out += row.error == 0.0 ? " 0 |" : fmt::format(" {:.1e} |", row.error);
      out += fmt::format(" {:.0e} |", row.tolerance);
    }
    out += "\n";
  }
  return out;
}

std::vector<std::string> fidelity_faults(std::string_view document,
                                         const std::vector<Fidelity>& measured) {
  std::vector<std::string> out;
  const auto rows = by_golden(measured);
  std::vector<std::string> listed;
  while (!document.empty()) {
    const std::size_t end = std::min(document.find('\n'), document.size());
    const std::string_view line = document.substr(0, end);
    document.remove_prefix(std::min(end + 1, document.size()));
    if (!line.starts_with("| ") || line.starts_with("| golden ")) continue;
    const std::vector<std::string> cell = cells(line);
    if (cell.size() != 5) {
      out.push_back(fmt::format("expected 5 cells, got \"{}\"", line));
      continue;
    }
    listed.push_back(cell[0]);
    const auto found = std::find_if(rows.begin(), rows.end(),
                                    [&](const auto& row) { return row.first == cell[0]; });
    if (found == rows.end()) {
      out.push_back(fmt::format("lists {}, which no test measures", cell[0]));
      continue;
    }
    for (std::size_t i = 0; i < std::size(kPrecisions); ++i) {
      const auto of_precision = found->second.find(kPrecisions[i]);
      if (of_precision == found->second.end()) {
        out.push_back(fmt::format("{}: {} was not measured", cell[0], kPrecisions[i]));
        continue;
      }
      const double tolerance = of_precision->second.tolerance;
      double error = 0.0;
      if (!read_number(cell[1 + 2 * i], error)) {
        out.push_back(fmt::format("{}: expected numbers, got \"{}\"", cell[0], cell[1 + 2 * i]));
      } else if (error > tolerance) {
        out.push_back(fmt::format("{}: error {} of {} is above {:.0e}", cell[0], cell[1 + 2 * i],
                                  kPrecisions[i], tolerance));
      }
    }
  }
  for (const auto& row : rows) {
    if (std::find(listed.begin(), listed.end(), row.first) == listed.end()) {
      out.push_back(fmt::format("lacks {}", row.first));
    }
  }
  return out;
}

}  // namespace longconv::testing
