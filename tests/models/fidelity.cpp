#include "tests/models/fidelity.h"

#include "core/files/atomic_file.h"
#include "core/runtime/device.h"

#include <ATen/Context.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <map>
#include <utility>

namespace longconv::testing {
namespace {

constexpr const char* kDocument = LONGCONV_SOURCE_DIR "/docs/fidelity.md";
/// The columns, each an error and what is allowed of it.
constexpr std::array<const char*, 4> kColumns = {"CpuFloat64", "CpuFloat32", "CudaFloat32",
                                                 "CudaBfloat16"};
constexpr std::size_t kCpuColumns = 2;
constexpr const char* kNotRecorded = "not recorded";
constexpr const char* kGpuLine = "The GPU's figures: ";

constexpr const char* kHead = R"(# Fidelity

How far the models are from the numbers that the papers' own programs give: the largest error of each golden's values, sums and
sums of squares (of gradients: of every tensor listed), relative to the signal, beyond the digits that the golden is printed with; 0
means that all of these are met. G1 is the implicit filter, G2 and G3 the Hyena operator of orders 2 and 3, G4 and G5 language models
(HyenaDNA, Hyena-GPT), G6 and G7 M2-BERT, G8 and G10 LongConv, G11 H3 with long convolutions, G13 the learned butterfly, G15
attention, G16 the heads; an "s" marks stronger weights, under which the filters show. bf16 is autocast's, as in training: parameters,
filters and sums in float32. Each test also shows that an output of zeros, or one without its filter, does not pass.

These tables are written by the tests themselves, and a test fails if they do not fit what it measures:

    LONGCONV_WRITE_FIDELITY=1 build/release/bin/test_models --gtest_brief=1

A machine without a GPU keeps the GPU's columns as they are. On one with a GPU the same command fills them, or alone, into another
file: `LONGCONV_WRITE_FIDELITY=fidelity.md test_models --gtest_filter=*Cuda*`; `ctest -L gpu` holds every golden to the same tolerances.

)";
constexpr const char* kGoldenHead = R"(
| golden | float64, CPU | allowed | float32, CPU | allowed | float32, GPU | allowed | bf16, GPU | allowed |
|---|---|---|---|---|---|---|---|---|
)";
constexpr const char* kFigureHead = R"(
What no precision changes:

| figure | published | here |
|---|---|---|
)";

using Row = std::vector<std::string>;
constexpr std::size_t kGoldenCells = 1 + 2 * kColumns.size();
constexpr std::size_t kFigureCells = 3;

FidelityRun& recorded() {
  static FidelityRun run;
  return run;
}

/// The cells of "| a | b |"; none for a line that is no row of values.
Row cells(std::string_view line) {
  Row out;
  if (!line.starts_with("| ") || line.starts_with("| golden ") || line.starts_with("| figure ")) {
    return out;
  }
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

/// A document taken apart.
struct Parts {
  std::vector<Row> rows;  ///< of any number of cells
  std::string gpu;
};
Parts parse(std::string_view document) {
  Parts out;
  while (!document.empty()) {
    const std::size_t end = std::min(document.find('\n'), document.size());
    const std::string_view line = document.substr(0, end);
    document.remove_prefix(std::min(end + 1, document.size()));
    if (line.starts_with(kGpuLine)) out.gpu = line.substr(std::string_view(kGpuLine).size());
    if (Row row = cells(line); !row.empty()) out.rows.push_back(std::move(row));
  }
  return out;
}

std::string words(double error) { return error == 0.0 ? "0" : fmt::format("{:.1e}", error); }

/// Goldens as rows in the order of their first measurement; what was not measured is empty.
std::vector<Row> golden_rows(const std::vector<Fidelity>& measured) {
  std::vector<Row> out;
  for (const Fidelity& each : measured) {
    const auto column = std::find(kColumns.begin(), kColumns.end(), each.precision);
    if (column == kColumns.end()) continue;
    auto row =
        std::find_if(out.begin(), out.end(), [&](const Row& one) { return one[0] == each.golden; });
    if (row == out.end()) {
      row = out.insert(out.end(), Row(kGoldenCells));
      row->at(0) = each.golden;
    }
    const auto at = static_cast<std::size_t>(1 + 2 * (column - kColumns.begin()));
    row->at(at) = words(each.error);
    row->at(at + 1) = fmt::format("{:.0e}", each.tolerance);
  }
  return out;
}

/// `fresh` over `before`, where both have a row of the same name and size.
std::vector<Row> merged(std::vector<Row> fresh, const std::vector<Row>& before, std::size_t size,
                        bool whole) {
  const auto of_name = [](std::vector<Row>& rows, const std::string& name) {
    return std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row[0] == name; });
  };
  std::vector<Row> out = std::move(fresh);
  for (const Row& old : before) {
    if (old.size() != size) continue;
    const auto row = of_name(out, old[0]);
    if (row != out.end()) {
      for (std::size_t i = 1; i < size; ++i) {
        if (row->at(i).empty()) row->at(i) = old[i];
      }
    } else if (!whole) {
      out.push_back(old);
    }
  }
  if (!whole) {
    // The file's order stands.
    std::stable_sort(out.begin(), out.end(), [&](const Row& a, const Row& b) {
      const auto place = [&](const Row& row) {
        return std::find_if(before.begin(), before.end(),
                            [&](const Row& old) { return old[0] == row[0]; });
      };
      return place(a) < place(b);
    });
  }
  return out;
}

std::string lines(const std::vector<Row>& rows) {
  std::string out;
  for (const Row& row : rows) out += fmt::format("| {} |\n", fmt::join(row, " | "));
  return out;
}

bool read_number(const std::string& cell, double& value) {
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  return error == std::errc() && end == cell.data() + cell.size();
}

/// What is wrong with one golden's row.
void check_row(const Row& row, const Row& measured, std::vector<std::string>& out) {
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    const std::string& error_words = row[1 + 2 * i];
    const bool optional = i >= kCpuColumns;
    if (optional && error_words == kNotRecorded) continue;
    if (!optional && measured[1 + 2 * i].empty()) {
      out.push_back(fmt::format("{}: {} was not measured", row[0], kColumns[i]));
      continue;
    }
    double error = 0.0;
    double allowed = 0.0;
    if (!read_number(error_words, error) || !read_number(row[2 + 2 * i], allowed)) {
      out.push_back(fmt::format("{}: expected numbers, got \"{}\"", row[0], error_words));
    } else if (!optional && row[2 + 2 * i] != measured[2 + 2 * i]) {
      out.push_back(fmt::format("{}: {} is allowed {}, not {}", row[0], kColumns[i],
                                measured[2 + 2 * i], row[2 + 2 * i]));
    } else if (error > allowed) {
      out.push_back(fmt::format("{}: error {} of {} is above {}", row[0], error_words, kColumns[i],
                                row[2 + 2 * i]));
    }
  }
}

/// "NVIDIA H100 80GB HBM3, 2026-11-25", of the device that Cuda tests ran on.
std::string gpu_and_date() {
  if (!at::hasCUDA()) return {};
  return fmt::format("{}, {:%Y-%m-%d}", runtime::device_name(at::kCUDA),
                     fmt::gmtime(std::time(nullptr)));
}

/// Runs when all tests have.
class Document : public ::testing::Environment {
 public:
  void TearDown() override {
    const auto& unit = *::testing::UnitTest::GetInstance();
    FidelityRun& run = recorded();
    run.whole = unit.test_to_run_count() == unit.total_test_count();
    run.gpu = gpu_and_date();
    const bool exists = std::filesystem::exists(kDocument);
    if (const char* where = std::getenv("LONGCONV_WRITE_FIDELITY"); where != nullptr) {
      const std::filesystem::path file = std::string_view(where) == "1" ? kDocument : where;
      const std::filesystem::path from = exists ? kDocument : file;
      const std::string before =
          std::filesystem::exists(from) ? files::read_text(from) : std::string();
      files::write_atomic(file, fidelity_document(run, before));
      return;
    }
    if (!run.whole) return;  // only a whole run has measured everything
    ASSERT_TRUE(exists) << kDocument;
    for (const std::string& fault : fidelity_faults(files::read_text(kDocument), run)) {
      ADD_FAILURE() << kDocument << ": " << fault
                    << "\n  LONGCONV_WRITE_FIDELITY=1 test_models writes it anew";
    }
  }
};

const auto* const kRegistered = ::testing::AddGlobalTestEnvironment(new Document);

FidelityRun small_run() {
  FidelityRun run;
  run.goldens = {{"G4 logits", "CpuFloat64", 0.0, 1e-10},
                 {"G4 logits", "CpuFloat32", 3e-7, 1e-4},
                 {"G5 logits", "CpuFloat64", 2e-13, 1e-10},
                 {"G5 logits", "CpuFloat32", 4e-7, 1e-4}};
  run.figures = {{"parameters of a model", "436,096", "436,096"}};
  return run;
}

TEST(FidelityDocument, IsCheckedAgainstWhatWasMeasured) {
  ASSERT_NE(kRegistered, nullptr);
  const FidelityRun run = small_run();
  const std::string good = fidelity_document(run, "");
  const std::string row =
      "| G4 logits | 0 | 1e-10 | 3.0e-07 | 1e-04 | not recorded |  | not recorded |  |\n";
  EXPECT_NE(good.find(row), std::string::npos) << good;
  EXPECT_NE(good.find("| parameters of a model | 436,096 | 436,096 |\n"), std::string::npos);
  EXPECT_TRUE(fidelity_faults(good, run).empty());
  const auto faults = [&](const std::string& document) {
    const std::vector<std::string> found = fidelity_faults(document, run);
    return found.empty() ? std::string() : found.front();
  };
  const auto changed = [&](const std::string& what, const std::string& with) {
    std::string text = good;
    return text.replace(text.find(what), what.size(), with);
  };
  EXPECT_EQ(faults(good + "| G99 | 0 | 1e-10 | 0 | 1e-04 | 0 | 1e-04 | 0 | 2e-02 |\n"),
            "lists G99, which no test measures");
  EXPECT_EQ(faults(changed("| G5 logits", "")), "lacks G5 logits");
  EXPECT_EQ(faults(changed("3.0e-07", "3.0e-03")),
            "G4 logits: error 3.0e-03 of CpuFloat32 is above 1e-04");
  EXPECT_EQ(faults(changed("3.0e-07", "small")), "G4 logits: expected numbers, got \"small\"");
  EXPECT_EQ(faults(changed("3.0e-07 | 1e-04", "3.0e-07 | 1e-01")),
            "G4 logits: CpuFloat32 is allowed 1e-04, not 1e-01");
  EXPECT_EQ(faults(changed("| 436,096 | 436,096 |", "| 436,096 | 436,097 |")),
            "parameters of a model: expected 436,096 published, 436,096 here");
}

TEST(FidelityDocument, KeepsWhatAGpuRecorded) {
  FidelityRun gpu;
  gpu.whole = false;
  gpu.gpu = "NVIDIA H100, 2026-01-02";
  gpu.goldens = {{"G5 logits", "CudaFloat32", 5e-6, 1e-4},
                 {"G5 logits", "CudaBfloat16", 3e-3, 2e-2}};
  const FidelityRun cpu = small_run();
  const std::string plain = fidelity_document(cpu, "");
  EXPECT_NE(plain.find("The GPU's figures: not recorded"), std::string::npos) << plain;
  const std::string with_gpu = fidelity_document(gpu, plain);
  const std::string row =
      "| G5 logits | 2.0e-13 | 1e-10 | 4.0e-07 | 1e-04 | 5.0e-06 | 1e-04 | 3.0e-03 | 2e-02 |\n";
  EXPECT_NE(with_gpu.find(row), std::string::npos) << with_gpu;
  EXPECT_LT(with_gpu.find("| G4 logits"), with_gpu.find("| G5 logits")) << "the order stands";
  EXPECT_NE(with_gpu.find("436,096"), std::string::npos);
  EXPECT_NE(with_gpu.find("The GPU's figures: NVIDIA H100, 2026-01-02"), std::string::npos);
  // Another run without a GPU: the GPU's cells stay, the row that nobody measures goes.
  FidelityRun less = cpu;
  less.goldens.resize(2);
  EXPECT_EQ(fidelity_document(cpu, with_gpu), with_gpu);
  EXPECT_EQ(fidelity_document(less, with_gpu).find("G5 logits"), std::string::npos);
  EXPECT_TRUE(fidelity_faults(with_gpu, cpu).empty());
  std::string worse = with_gpu;
  worse.replace(worse.find("3.0e-03"), 7, "3.0e-01");
  ASSERT_EQ(fidelity_faults(worse, cpu).size(), 1U);
  EXPECT_EQ(fidelity_faults(worse, cpu)[0],
            "G5 logits: error 3.0e-01 of CudaBfloat16 is above 2e-02");
}

}  // namespace

void record_fidelity(const Fidelity& measured) {
  for (Fidelity& each : recorded().goldens) {
    if (each.golden == measured.golden && each.precision == measured.precision) {
      each.error = std::max(each.error, measured.error);
      return;
    }
  }
  recorded().goldens.push_back(measured);
}

void record_figure(const PublishedFigure& measured) { recorded().figures.push_back(measured); }

void record_count(const std::string& what, std::int64_t published, std::int64_t measured) {
  const auto grouped = [](std::int64_t count) {
    std::string digits = std::to_string(count);
    for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
    return digits;
  };
  record_figure({what, grouped(published), grouped(measured)});
}

std::string fidelity_document(const FidelityRun& run, std::string_view before) {
  const Parts old = parse(before);
  std::vector<Row> goldens = merged(golden_rows(run.goldens), old.rows, kGoldenCells, run.whole);
  for (Row& row : goldens) {
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      if (row[1 + 2 * i].empty()) row[1 + 2 * i] = kNotRecorded;
    }
  }
  std::vector<Row> figures;
  for (const PublishedFigure& each : run.figures) {
    figures.push_back({each.what, each.published, each.measured});
  }
  const std::string known = old.gpu.empty() ? kNotRecorded : old.gpu;
  return fmt::format("{}{}{}\n{}{}{}{}", kHead, kGpuLine, run.gpu.empty() ? known : run.gpu,
                     kGoldenHead, lines(goldens), kFigureHead,
                     lines(merged(figures, old.rows, kFigureCells, run.whole)));
}

std::vector<std::string> fidelity_faults(std::string_view document, const FidelityRun& run) {
  std::vector<std::string> out;
  std::map<std::string, Row> measured;
  for (const Row& row : golden_rows(run.goldens)) measured[row[0]] = row;
  for (const PublishedFigure& each : run.figures) {
    measured[each.what] = {each.what, each.published, each.measured};
  }
  for (const Row& row : parse(document).rows) {
    const auto found = measured.find(row[0]);
    if (row.size() != kGoldenCells && row.size() != kFigureCells) {
      out.push_back(fmt::format("expected {} or {} cells, got \"{}\"", kGoldenCells, kFigureCells,
                                fmt::join(row, " | ")));
    } else if (found == measured.end() || found->second.size() != row.size()) {
      out.push_back(fmt::format("lists {}, which no test measures", row[0]));
    } else if (row.size() == kGoldenCells) {
      check_row(row, found->second, out);
    } else if (row != found->second) {
      out.push_back(fmt::format("{}: expected {} published, {} here", row[0], found->second[1],
                                found->second[2]));
    }
    if (found != measured.end()) measured.erase(found);
  }
  for (const auto& item : measured) out.push_back(fmt::format("lacks {}", item.first));
  return out;
}

}  // namespace longconv::testing
