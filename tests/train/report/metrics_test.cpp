#include "train/report/metrics.h"

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "tests/support/temp_folder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <limits>

namespace longconv::train {
namespace {

using ::testing::HasSubstr;

MetricRecord train_record(std::int64_t step, double loss) {
  return {step, "train", {{"loss", loss}, {"lr", 6e-4}}, "2026-01-31T12:34:56.789Z"};
}

std::vector<std::int64_t> steps_of(const std::filesystem::path& path) {
  std::vector<std::int64_t> steps;
  for (const MetricRecord& record : read_metrics(path)) steps.push_back(record.step);
  return steps;
}

class Metrics : public ::testing::Test {
 protected:
  testing::TempFolder folder_;
  std::filesystem::path path_ = folder_ / "metrics.jsonl";
};

TEST_F(Metrics, WritesOneObjectALineInTheGivenOrder) {
  MetricsLog log(path_, 0);
  log.append(train_record(120, 3.2));
  log.sync();
  EXPECT_EQ(
      files::read_text(path_),
      R"({"step":120,"split":"train","time":"2026-01-31T12:34:56.789Z","loss":3.2,"lr":0.0006})"
      "\n");
}

TEST_F(Metrics, ReadsBackEveryBitAndTellsTheTime) {
  MetricsLog log(path_, 0);
  log.append({7, "validation", {{"loss", 0.1 + 0.2}, {"tiny", 5e-324}, {"big", 1e300}}, ""});
  const MetricRecord record = read_metrics(path_).at(0);
  EXPECT_EQ(record.step, 7);
  EXPECT_EQ(record.split, "validation");
  ASSERT_EQ(record.values.size(), 3U);
  EXPECT_EQ(record.values[0], (std::pair<std::string, double>{"loss", 0.1 + 0.2}));
  EXPECT_EQ(record.values[1].second, 5e-324);
  EXPECT_EQ(record.values[2].second, 1e300);
  EXPECT_THAT(record.time, ::testing::MatchesRegex("20..-..-..T..:..:......Z"));
}

TEST_F(Metrics, WritesWhatIsNoNumberAsNull) {
  MetricsLog log(path_, 0);
  log.append(train_record(1, std::numeric_limits<double>::infinity()));
  EXPECT_THAT(files::read_text(path_), HasSubstr("\"loss\":null"));
  EXPECT_TRUE(std::isnan(read_metrics(path_).at(0).values.at(0).second));
}

TEST_F(Metrics, AResumeDropsWhatCameAfterItsCheckpoint) {
  {
    MetricsLog log(path_, 0);
    for (const std::int64_t step : {10, 20, 30, 40}) log.append(train_record(step, 1.0));
  }
  {
    MetricsLog log(path_, 20);
    EXPECT_EQ(steps_of(path_), (std::vector<std::int64_t>{10, 20}));
    log.append(train_record(30, 2.0));
  }
  EXPECT_EQ(steps_of(path_), (std::vector<std::int64_t>{10, 20, 30}));
  EXPECT_EQ(read_metrics(path_)[2].values[0].second, 2.0);
  const MetricsLog fresh(path_, 0);
  EXPECT_EQ(steps_of(path_), (std::vector<std::int64_t>{}));
}

TEST_F(Metrics, AResumeCutsAHalfWrittenLastLine) {
  {
    MetricsLog log(path_, 0);
    log.append(train_record(10, 1.0));
  }
  const std::string whole = files::read_text(path_);
  files::write_atomic(path_, whole + R"({"step":20,"split":"tra)");
  EXPECT_EQ(steps_of(path_), (std::vector<std::int64_t>{10}));
  {
    MetricsLog log(path_, 100);
    EXPECT_EQ(files::read_text(path_), whole);
    log.append(train_record(20, 1.0));
  }
  EXPECT_EQ(steps_of(path_), (std::vector<std::int64_t>{10, 20}));
}

TEST_F(Metrics, NamesFileAndLineOfAMalformedLine) {
  const std::string good =
      R"({"step":1,"split":"train","time":"2026-01-31T12:34:56.789Z","loss":1})"
      "\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{\"step\":", "parse error"},
      {"[1]", "expected a JSON object"},
      {R"({"split":"train","time":""})", "step"},
      {R"({"step":1.5,"split":"train","time":""})", "step: expected an integer"},
      {R"({"step":1,"split":3,"time":""})", "must be string"},
      {R"({"step":1,"split":"train","time":"","loss":"low"})", "loss: expected a number"},
      {"\x01\xFF", "??"}};
  for (const auto& [line, why] : cases) {
    files::write_atomic(path_, fmt::format("{0}{1}\n{0}", good, line));
    const std::string message = testing::message_of<DataError>([&] { (void)read_metrics(path_); });
    EXPECT_THAT(message, HasSubstr("metrics.jsonl:2: expected a metric record"));
    EXPECT_THAT(message, HasSubstr(why));
    EXPECT_EQ(testing::message_of<DataError>([&] { const MetricsLog log(path_, 5); }), message);
  }
}

TEST_F(Metrics, RefusesAMetricGivenTwice) {
  MetricsLog log(path_, 0);
  const MetricRecord twice{1, "train", {{"loss", 1.0}, {"loss", 2.0}}, ""};
  EXPECT_THAT(testing::message_of<DataError>([&] { log.append(twice); }), HasSubstr("\"loss\""));
  EXPECT_EQ(files::read_text(path_), "");
}

TEST_F(Metrics, AMissingFolderIsAnEnvironmentError) {
  const auto path = folder_ / "none" / "metrics.jsonl";
  EXPECT_THAT(testing::message_of<EnvironmentError>([&] { const MetricsLog log(path, 0); }),
              HasSubstr("none/metrics.jsonl: cannot open for appending: No such file"));
}

// A file size limit stands in for a full disk: write(2) takes a part of the line, then fails.
TEST_F(Metrics, AFullDiskLeavesWholeLines) {
  MetricsLog log(path_, 0);
  log.append(train_record(1, 1.0));
  const std::string whole = files::read_text(path_);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* const old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit tight = before;
  tight.rlim_cur = whole.size() + 20;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const std::string message =
      testing::message_of<EnvironmentError>([&] { log.append(train_record(2, 1.0)); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_THAT(message, HasSubstr("metrics.jsonl: cannot append: File too large"));
  EXPECT_EQ(files::read_text(path_), whole);
  log.append(train_record(2, 1.0));
  EXPECT_EQ(steps_of(path_), (std::vector<std::int64_t>{1, 2}));
}

}  // namespace
}  // namespace longconv::train
