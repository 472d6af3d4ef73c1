#include "train/report/html.h"

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "tests/support/temp_folder.h"
#include "tests/train/report/xml_check.h"
#include "train/report/metrics.h"
#include "train/report/results.h"
#include "train/report/run_folder.h"

#include <gmock/gmock.h>

#include <cmath>

namespace longconv::train {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A complete run with nasty words wherever a run can hold words.
void make_run(const std::filesystem::path& folder, double slowness) {
  files::create_folders(folder / "samples");
  MetricsLog log(folder / "metrics.jsonl", 0);
  for (int i = 0; i <= 60; ++i) {
    const double loss = 1.3 + 6.0 * std::exp(-i / (6.0 * slowness));
    log.append({i * 10,
                "train",
                {{"loss", loss},
                 {"lr", 4e-3 * (60 - i) / 60},
                 {"tokens_per_s", 80e3 + i},
                 {"grad<norm>", 1.0 / (i + 1)},
                 {"elapsed_s", i * 2.5}},
                ""});
    if (i % 20 == 0) {
      // The best validation loss lies before the last.
      log.append({i * 10,
                  "validation",
                  {{"loss", i == 60 ? 1.75 : loss + 0.2},
                   {"bits_per_byte", 2.0 - i * 0.001},
                   {"tokens", 9.0}},
                  ""});
    }
  }
  files::write_atomic(folder / "config.toml", "seed = 1\nname = \"<script>alert(1)</script>\"\n");
  files::write_atomic(folder / "environment.json",
                      R"({"parameters":1234567,"host":"a<b","gpus":[{"name":"none & none"}]})");
  files::write_atomic(folder / "samples/step_600.txt", "In the beginning </pre><b>\xFF\x01 God");
  EvaluationResult result;
  result.checkpoint = "step_<600>";
  result.loss = 3.0;
  result.perplexity = 20.0855;
  result.bits_per_byte = 1.7043;
  result.tokens = 111;
  result.bytes = 222;
  result.ngrams = {{"byte", 6, 1.949, 1.949}, {"byte", 7, 2.015, 2.015}};
  write_result(folder / "results/perplexity.json", result);
}

TEST(HtmlReport, ShowsARunAndEscapesAllOfIt) {
  const testing::TempFolder folder;
  make_run(folder / "text", 1.0);
  write_html_report({folder / "text"}, folder / "report.html");
  const std::string page = files::read_text(folder / "report.html");
  const testing::XmlCheck check(page);
  ASSERT_EQ(check.error(), "");
  for (const char* words :
       {"longconv run text", "1.23M", "1.704", "20.09", "80.0k", "2:30",
        "byte 6-gram (best n-gram)", "Loss (nats per token or sample)", "Learning rate",
        "Training speed", "grad<norm>", "step_<600>", "name = \"<script>alert(1)</script>\"",
        "gpus.0.name", "none & none", "a<b", "In the beginning </pre><b>"}) {
    EXPECT_THAT(check.content(), HasSubstr(words));
  }
  EXPECT_THAT(check.content(), Not(HasSubstr("byte 7-gram (best")));
  EXPECT_EQ(check.count("svg"), 5) << "elapsed_s and tokens are counters, not curves";
  EXPECT_EQ(check.count("script"), 0);
}

TEST(HtmlReport, NeedsNothingBesideItself) {
  const testing::TempFolder folder;
  make_run(folder / "text", 1.0);
  write_html_report({folder / "text"}, folder / "report.html");
  std::string page = files::read_text(folder / "report.html");
  // The name of SVG's namespace is an address, but nobody fetches it.
  const std::string name_space = "http://www.w3.org/2000/svg";
  for (std::size_t at = 0; (at = page.find(name_space)) != std::string::npos;) {
    page.erase(at, name_space.size());
  }
  for (const char* outside : {"http:", "https:", "src=", "href=", "@import", "url("}) {
    EXPECT_THAT(page, Not(HasSubstr(outside)));
  }
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
}

TEST(HtmlReport, ComparesRuns) {
  const testing::TempFolder folder;
  make_run(folder / "a/text", 1.0);
  make_run(folder / "b/text", 3.0);
  make_run(folder / "c/other", 2.0);
  write_html_report({folder / "a/text", folder / "b/text", folder / "c/other"}, folder / "r.html");
  const std::string page = files::read_text(folder / "r.html");
  const testing::XmlCheck check(page);
  ASSERT_EQ(check.error(), "");
  EXPECT_EQ(check.count("svg"), 5) << "one chart a metric, all runs in it";
  EXPECT_THAT(check.content(), HasSubstr("3 longconv runs"));
  EXPECT_THAT(check.content(), HasSubstr("b/text, validation"))
      << "runs of one name show their path";
  EXPECT_THAT(check.content(), HasSubstr("other, train"));
  EXPECT_THAT(page, HasSubstr("stroke-dasharray"));
}

TEST(HtmlReport, LeavesOutWhatARunLacks) {
  const testing::TempFolder folder;
  files::create_folders(folder / "bare");
  files::write_atomic(folder / "bare/config.toml", "seed = 1\n");
  write_html_report({folder / "bare"}, folder / "r.html");
  const testing::XmlCheck check(files::read_text(folder / "r.html"));
  EXPECT_EQ(check.error(), "");
  EXPECT_EQ(check.count("svg"), 0);
  EXPECT_THAT(check.content(), HasSubstr("seed = 1"));
  EXPECT_THAT(check.content(), Not(HasSubstr("nan")));
}

TEST(HtmlReport, RefusesWhatIsNoRun) {
  const testing::TempFolder folder;
  const auto out = folder / "r.html";
  EXPECT_THAT(testing::message_of<DataError>([&] { write_html_report({folder.path()}, out); }),
              HasSubstr("neither metrics.jsonl nor config.toml"));
  EXPECT_THAT(testing::message_of<DataError>([&] { write_html_report({folder / "none"}, out); }),
              HasSubstr("expected a run folder, found nothing"));
  EXPECT_THAT(testing::message_of<DataError>([&] { write_html_report({}, out); }),
              HasSubstr("at least one run folder"));
  make_run(folder / "text", 1.0);
  files::write_atomic(folder / "text/environment.json", "{");
  EXPECT_THAT(testing::message_of<DataError>([&] { write_html_report({folder / "text"}, out); }),
              HasSubstr("environment.json: expected JSON"));
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST(RunSummary, CollectsTheFigures) {
  const testing::TempFolder folder;
  make_run(folder / "text", 1.0);
  RunFolder run = read_run_folder(folder / "text");
  RunSummary summary = summarise(run);
  EXPECT_EQ(run.name, "text");
  EXPECT_EQ(summary.steps, 600);
  EXPECT_DOUBLE_EQ(summary.final_loss, 1.3 + 6.0 * std::exp(-10.0));
  EXPECT_DOUBLE_EQ(summary.best_validation_loss, 1.3 + 6.0 * std::exp(-40.0 / 6.0) + 0.2);
  EXPECT_EQ(summary.best_step, 400.0);
  EXPECT_EQ(summary.bits_per_byte, 1.7043);
  EXPECT_EQ(summary.perplexity, 20.0855);
  EXPECT_EQ(summary.tokens_per_s, 80e3 + 30);
  EXPECT_EQ(summary.wall_s, 150.0);
  EXPECT_EQ(summary.parameters, 1234567.0);

  run.results.clear();
  EXPECT_EQ(summarise(run).bits_per_byte, 2.0 - 0.04) << "at the best step";
  run.environment.clear();
  for (MetricRecord& record : run.metrics) record.values.resize(1);  // the loss alone
  run.metrics.front().time = "2026-01-31T12:00:00.000Z";
  run.metrics.back().time = "2026-01-31T12:01:30.500Z";
  summary = summarise(run);
  EXPECT_DOUBLE_EQ(summary.perplexity, std::exp(summary.best_validation_loss));
  EXPECT_TRUE(std::isnan(summary.bits_per_byte));
  EXPECT_TRUE(std::isnan(summary.parameters));
  EXPECT_DOUBLE_EQ(summary.wall_s, 90.5);
}

}  // namespace
}  // namespace longconv::train
