#include "train/report/results.h"

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>

namespace longconv::train {
namespace {

using ::testing::HasSubstr;

EvaluationResult example() {
  EvaluationResult result;
  result.model = "runs/a";
  result.checkpoint = "runs/a/checkpoints/step_0000600";
  result.checkpoint_sha256 = std::string(64, 'a');
  result.step = 600;
  result.data = "data/kjv";
  result.data_fingerprint = std::string(64, 'b');
  result.loss = 3.3333333333333335;
  result.perplexity = std::exp(result.loss);
  result.bits_per_byte = 1.7040000000000002;
  result.tokens = 123'456;
  result.bytes = 429'824;
  result.seq_len = 128;
  result.overlap = 64;
  result.config = "seed = 1\n[data]\ntask = \"lm\"\n";
  result.time = "2026-01-31T12:34:56.789Z";
  result.ngrams = {{"byte", 5, 1.98, 1.98}, {"byte", 6, 1.949, 1.949}, {"subword", 2, 2.1, 8.0}};
  return result;
}

TEST(Results, ReadBackBitForBit) {
  const testing::TempFolder folder;
  const auto path = folder / "results/perplexity.json";
  const EvaluationResult written = example();
  write_result(path, written);
  const EvaluationResult read = read_result(path);
  EXPECT_EQ(to_json(read), to_json(written));
  EXPECT_EQ(read.loss, written.loss);
  EXPECT_EQ(read.bits_per_byte, written.bits_per_byte);
  EXPECT_EQ(read.config, written.config);
  EXPECT_EQ(read.checkpoint_sha256, written.checkpoint_sha256);
  ASSERT_EQ(read.ngrams.size(), 3U);
  EXPECT_EQ(read.ngrams[2].unit, "subword");
  EXPECT_EQ(read.ngrams[2].bits_per_unit, 8.0);
}

TEST(Results, FillInTheTimeAndSurviveOverflow) {
  const testing::TempFolder folder;
  EvaluationResult result = example();
  result.time.clear();
  result.perplexity = std::numeric_limits<double>::infinity();
  result.model = "runs/\xFF";
  write_result(folder / "r.json", result);
  const EvaluationResult read = read_result(folder / "r.json");
  EXPECT_EQ(read.time.size(), 24U);
  EXPECT_TRUE(std::isinf(read.perplexity));
  EXPECT_EQ(read.model, "runs/\xEF\xBF\xBD");
}

TEST(Results, NameTheKeyThatIsWrong) {
  const testing::TempFolder folder;
  const auto path = folder / "r.json";
  const auto message_after = [&](auto change) {
    auto json = nlohmann::json::parse(to_json(example()));
    change(json);
    files::write_atomic(path, json.dump());
    return testing::message_of<DataError>([&] { (void)read_result(path); });
  };
  EXPECT_THAT(message_after([](auto& json) { json.erase("loss"); }),
              ::testing::AllOf(HasSubstr("r.json"), HasSubstr("no key \"loss\"")));
  EXPECT_THAT(message_after([](auto& json) { json["tokens"] = 1.5; }),
              HasSubstr("tokens: expected an integer, got 1.5"));
  EXPECT_THAT(message_after([](auto& json) { json["task"] = 7; }),
              HasSubstr("task: expected a string, got 7"));
  EXPECT_THAT(message_after([](auto& json) { json["ngrams"] = 7; }), HasSubstr("ngrams"));
  EXPECT_THAT(message_after([](auto& json) { json["ngrams"][1].erase("order"); }),
              HasSubstr("ngrams: no key \"order\""));
  EXPECT_THAT(message_after([](auto& json) { json = nlohmann::json::array(); }),
              HasSubstr("no key \"task\""));
  files::write_atomic(path, "{\"task\":");
  EXPECT_THAT(testing::message_of<DataError>([&] { (void)read_result(path); }),
              HasSubstr("r.json: expected a JSON object"));
}

TEST(Results, TheBestNgramHasTheFewestBits) {
  EXPECT_EQ(best_ngram(example().ngrams)->order, 6);
  EXPECT_EQ(best_ngram({}), nullptr);
}

}  // namespace
}  // namespace longconv::train
