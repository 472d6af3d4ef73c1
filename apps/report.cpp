// longconv report: one or several runs in one HTML file.
#include "apps/commands.h"
#include "train/report/html.h"

#include <fmt/format.h>

#include <filesystem>

namespace longconv::apps {

ExitCode report(const ReportOptions& options) {
  const std::vector<std::filesystem::path> runs(options.runs.begin(), options.runs.end());
  const std::filesystem::path out =
      options.out.empty() ? runs.front() / "report.html" : std::filesystem::path(options.out);
  train::write_html_report(runs, out);
  fmt::print("{}\n", out.string());
  return ExitCode::ok;
}

}  // namespace longconv::apps
