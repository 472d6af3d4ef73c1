#include "train/report/html.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "train/report/markup.h"
#include "train/report/run_folder.h"
#include "train/report/svg.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <string>

namespace longconv::train {
namespace {

constexpr std::size_t kSampleBytes = 20'000;  // shown of one sample; the file holds the rest

constexpr const char* kHead = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
<title>{0}</title><style>
:root {{ color-scheme: light dark; --page: #ffffff; --ink: #1d2126; --soft: #626b75; --line: #dfe3e8; --panel: #f6f7f9; --accent: #3987e5; }}
@media (prefers-color-scheme: dark) {{
:root {{ --page: #17191c; --ink: #e4e7ea; --soft: #9aa4ae; --line: #33383e; --panel: #1f2226; }} }}
body {{ margin: 0 auto; padding: 1.5rem; max-width: 72rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.5rem; margin: 0; }} h2 {{ font-size: 1.15rem; margin: 2.2rem 0 .6rem; }} h3 {{ font-size: 1rem; margin: 1rem 0 .4rem; }}
p {{ color: var(--soft); margin: .3rem 0; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .3rem .8rem .3rem 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }}
th {{ color: var(--soft); font-weight: 500; }}
th:first-child, td:first-child, td.words {{ text-align: left; }}
td.words {{ white-space: normal; overflow-wrap: anywhere; }}
tr.model td {{ font-weight: 600; }}
td.bar {{ width: 16rem; }} td.bar div {{ height: .7rem; border-radius: 2px; background: var(--soft); opacity: .55; }}
tr.model td.bar div {{ background: var(--accent); opacity: 1; }}
.charts {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1rem; }}
.charts svg {{ width: 100%; height: auto; background: var(--panel); border-radius: 8px; }}
pre {{ background: var(--panel); border-radius: 8px; padding: .8rem 1rem; overflow-x: auto; font-size: 13px; line-height: 1.45; }}
pre.sample {{ white-space: pre-wrap; overflow-wrap: anywhere; font-family: ui-serif, serif; font-size: 15px; }}
summary {{ cursor: pointer; color: var(--soft); }}
</style></head><body>
<h1>{0}</h1><p>{1}</p>
)";

// A cell of plain text, escaped here and nowhere else.
std::string cell(const std::string& text, const char* attributes = "") {
  return fmt::format("<td{}>{}</td>", attributes, escape(text));
}

std::string number_cell(double value) { return cell(short_number(value)); }

std::string count(double value) { return std::isnan(value) ? "-" : with_prefix(value); }

void summary_table(std::string& out, const std::vector<RunFolder>& runs) {
  out +=
      "<h2>Summary</h2><div class=\"scroll\"><table><tr><th>run</th><th>parameters</th>"
      "<th>steps</th><th>final training loss</th><th>best validation loss</th><th>at step</th>"
      "<th>perplexity</th><th>bits per byte</th><th>tokens/s</th><th>wall time</th></tr>\n";
  for (const RunFolder& run : runs) {
    const RunSummary summary = summarise(run);
    out += "<tr>" + cell(run.name) + cell(count(summary.parameters)) +
           cell(fmt::format("{}", summary.steps)) + number_cell(summary.final_loss) +
           number_cell(summary.best_validation_loss) + number_cell(summary.best_step) +
           number_cell(summary.perplexity) + number_cell(summary.bits_per_byte) +
           cell(count(summary.tokens_per_s)) + cell(clock_time(summary.wall_s)) + "</tr>\n";
  }
  out +=
      "</table></div>\n<p>Losses in nats per token or sample, of series the mean absolute error. "
      "Perplexity and bits per byte are those of "
      "<code>longconv eval</code> where it was run, else those at the best validation "
      "loss.</p>\n";
}

// Loss first, then learning rate and speed, then whatever else a run has logged but counters.
std::vector<std::string> metric_names(const std::vector<RunFolder>& runs) {
  std::vector<std::string> names = {"loss", "lr", "tokens_per_s"};
  for (const RunFolder& run : runs) {
    for (const MetricRecord& record : run.metrics) {
      for (const auto& [name, value] : record.values) {
        if (name != "elapsed_s" && name != "tokens" &&
            std::find(names.begin(), names.end(), name) == names.end()) {
          names.push_back(name);
        }
      }
    }
  }
  return names;
}

std::string metric_title(const std::string& name) {
  if (name == "loss") return "Loss (nats per token or sample)";
  if (name == "lr") return "Learning rate";
  if (name == "tokens_per_s") return "Training speed (tokens per second)";
  if (name == "data_wait_s") return "Waiting for data (seconds since the last record)";
  if (name == "perplexity") return "Perplexity";
  if (name == "bits_per_byte") return "Bits per byte";
  if (name == "grad_norm") return "Gradient norm";
  if (name == "memory_bytes") return "Peak memory (bytes)";
  return name;
}

// Losses fall fast, then slowly: the slow part is only seen on a logarithmic axis.
bool wants_log_axis(const std::string& name, const std::vector<Series>& series) {
  if (name.find("loss") == std::string::npos && name != "perplexity") return false;
  double low = std::numeric_limits<double>::infinity();
  double high = 0.0;
  for (const Series& one : series) {
    for (const auto& [step, value] : one.points) {
      if (std::isfinite(value)) low = std::min(low, value);
      if (std::isfinite(value)) high = std::max(high, value);
    }
  }
  return low > 0.0 && high > 3.0 * low;
}

void charts(std::string& out, const std::vector<RunFolder>& runs) {
  std::string drawn;
  for (const std::string& name : metric_names(runs)) {
    std::vector<Series> series;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      for (const bool validation : {false, true}) {
        const std::string split = validation ? "validation" : "train";
        Series one{split, curve(runs[i], split, name), false, validation ? 1 : 0};
        if (runs.size() > 1) {  // one colour a run, dashes for validation
          one = {runs[i].name + ", " + split, std::move(one.points), validation,
                 static_cast<int>(i)};
        }
        if (!one.points.empty()) series.push_back(std::move(one));
      }
    }
    if (series.empty()) continue;
    const std::string title = metric_title(name);
    drawn += line_chart(series, {title, "step", "", wants_log_axis(name, series)});
  }
  if (!drawn.empty()) out += "<h2>Curves</h2>\n<div class=\"charts\">\n" + drawn + "</div>\n";
}

void ngram_row(std::string& out, const std::string& name, double bits_per_byte,
               double bits_per_unit, double widest, bool is_model) {
  out += fmt::format(
      "<tr{}>{}{}{}<td class=\"bar\"><div style=\"width:{:.1f}%\"></div></td></tr>\n",
      is_model ? " class=\"model\"" : "", cell(name), cell(fmt::format("{:.3f}", bits_per_byte)),
      cell(fmt::format("{:.3f}", bits_per_unit)), 100.0 * bits_per_byte / widest);
}

void evaluation(std::string& out, const RunFolder& run, const EvaluationResult& result) {
  out += fmt::format("<h2>{}: {} on {}</h2>\n", escape(run.name), escape(result.task),
                     escape(result.split));
  out += fmt::format(
      "<p>Perplexity {}, {:.4f} bits per byte over {} tokens ({} bytes); windows of {} "
      "tokens, {} of them shared; {}. Checkpoint {} (sha256 {}), data {} ({}).</p>\n",
      short_number(result.perplexity), result.bits_per_byte, result.tokens, result.bytes,
      result.seq_len, result.overlap, escape(result.precision), escape(result.checkpoint),
      escape(result.checkpoint_sha256.substr(0, 16)), escape(result.data),
      escape(result.data_fingerprint.substr(0, 16)));
  const NgramResult* best = best_ngram(result.ngrams);
  if (best == nullptr) return;
  double widest = result.bits_per_byte;
  for (const NgramResult& row : result.ngrams) widest = std::max(widest, row.bits_per_byte);
  out +=
      "<div class=\"scroll\"><table><tr><th>model</th><th>bits per byte</th><th>bits per unit</th>"
      "<th></th></tr>\n";
  ngram_row(out, run.name, result.bits_per_byte, result.loss / std::log(2.0), widest, true);
  for (const NgramResult& row : result.ngrams) {
    const std::string name =
        fmt::format("{} {}-gram{}", row.unit, row.order, &row == best ? " (best n-gram)" : "");
    ngram_row(out, name, row.bits_per_byte, row.bits_per_unit, widest, false);
  }
  out +=
      "</table></div>\n<p>n-grams: interpolated Witten-Bell, fitted on the training split; a unit "
      "is a byte, a subword, or the model's own token.</p>\n";
}

void accuracy(std::string& out, const RunFolder& run, const AccuracyResult& result) {
  out += fmt::format("<h2>{}: accuracy on {}</h2>\n", escape(run.name), escape(result.split));
  out += fmt::format(
      "<p>{} samples, loss {:.4f} nats each; {}. Checkpoint {} (sha256 {}), data {} ({}).</p>\n",
      result.samples, result.loss, escape(result.precision), escape(result.checkpoint),
      escape(result.checkpoint_sha256.substr(0, 16)), escape(result.data),
      escape(result.data_fingerprint.substr(0, 16)));
  out += "<div class=\"scroll\"><table><tr><th>model</th><th>accuracy</th></tr>\n";
  const auto row = [&](const std::string& name, double share, bool is_model) {
    out += fmt::format("<tr{}>{}{}</tr>\n", is_model ? " class=\"model\"" : "", cell(name),
                       cell(fmt::format("{:.2f} %", 100.0 * share)));
  };
  row(run.name, result.accuracy, true);
  for (const LabelBaseline& baseline : result.baselines) {
    row(baseline.name, baseline.accuracy, false);
  }
  out += "</table></div>\n";
}

void glue(std::string& out, const RunFolder& run, const GlueResult& result) {
  out += fmt::format("<h2>{}: GLUE, {}</h2>\n", escape(run.name), escape(result.glue_task));
  out +=
      fmt::format("<p>{}. Checkpoint {} (sha256 {}), data {} ({}).</p>\n", escape(result.precision),
                  escape(result.checkpoint), escape(result.checkpoint_sha256.substr(0, 16)),
                  escape(result.data), escape(result.data_fingerprint.substr(0, 16)));
  out +=
      "<div class=\"scroll\"><table><tr><th>part</th><th>samples</th><th>metric</th>"
      "<th>value</th></tr>\n";
  for (const GluePartScores& part : result.parts) {
    for (const auto& [name, value] : part.scores) {
      out += fmt::format("<tr class=\"model\">{}{}{}{}</tr>\n", cell(part.part),
                         cell(fmt::format("{}", part.samples)), cell(name),
                         cell(fmt::format("{:.4f}", value)));
    }
  }
  out += "</table></div>\n";
}

void samples(std::string& out, const RunFolder& run) {
  if (run.samples.empty()) return;
  out += fmt::format("<h2>{}: samples</h2>\n", escape(run.name));
  for (const auto& [name, text] : run.samples) {
    out += fmt::format("<h3>{}</h3><pre class=\"sample\">{}</pre>\n", escape(name),
                       escape(std::string_view(text).substr(0, kSampleBytes)));
    if (text.size() > kSampleBytes) {
      out += fmt::format("<p>The first {} of {} bytes.</p>\n", kSampleBytes, text.size());
    }
  }
}

void details(std::string& out, const RunFolder& run) {
  if (run.config.empty() && run.environment.empty()) return;
  out += fmt::format("<h2>{}: how it was made</h2>\n", escape(run.name));
  if (!run.config.empty()) {
    out += "<details><summary>Configuration (config.toml)</summary><pre>" + escape(run.config) +
           "</pre></details>\n";
  }
  if (!run.environment.empty()) {
    out += "<details><summary>Environment</summary><div class=\"scroll\"><table>\n";
    for (const auto& [key, value] : run.environment) {
      out += "<tr>" + cell(key) + cell(value, " class=\"words\"") + "</tr>\n";
    }
    out += "</table></div></details>\n";
  }
}

}  // namespace

void write_html_report(const std::vector<std::filesystem::path>& runs,
                       const std::filesystem::path& out) {
  LONGCONV_CHECK(!runs.empty(), DataError,
                 "report: expected at least one run folder, got none; give one or more");
  std::vector<RunFolder> read;
  read.reserve(runs.size());
  for (const std::filesystem::path& path : runs) read.push_back(read_run_folder(path));
  for (RunFolder& run : read) {  // two runs called alike are told apart by their paths
    const bool alone = std::count_if(read.begin(), read.end(), [&](const RunFolder& other) {
                         return other.path.filename() == run.path.filename();
                       }) == 1;
    if (!alone) run.name = run.path.string();
  }
  const std::string title = read.size() == 1 ? "longconv run " + read[0].name
                                             : fmt::format("{} longconv runs", read.size());
  const std::string where = read.size() == 1 ? read[0].path.string() + ", " : "";
  std::string page =
      fmt::format(kHead, escape(title), escape(fmt::format("{}report of {}", where, utc_time())));
  summary_table(page, read);
  charts(page, read);
  for (const RunFolder& run : read) {
    for (const EvaluationResult& result : run.results) evaluation(page, run, result);
    for (const AccuracyResult& result : run.accuracies) accuracy(page, run, result);
    for (const GlueResult& result : run.glue) glue(page, run, result);
  }
  for (const RunFolder& run : read) samples(page, run);
  for (const RunFolder& run : read) details(page, run);
  files::write_atomic(out, page + "</body></html>\n");
}

}  // namespace longconv::train
