#define AT_PER_OPERATOR_HEADERS
#include "train/evaluation/generate.h"

#include "core/base/error.h"
#include "data/formats/utf8.h"
#include "data/tokenizers/bytes.h"
#include "tests/support/temp_folder.h"
#include "tests/train/evaluation/fake_model.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>

namespace longconv::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kVocab = data::ByteTokenizer::kVocabSize;
constexpr std::int64_t kColumns = 264;

/// Predicts byte after byte of a text, then EOS. The padded columns always look best.
class Script {
 public:
  explicit Script(std::string text) : text_(std::move(text)) {}
  at::Tensor operator()(const at::Tensor& ids) {
    at::Tensor logits = at::zeros({1, ids.size(1), kColumns});
    const std::int64_t next =
        at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : data::ByteTokenizer::kEos;
    ++at_;
    logits[0][ids.size(1) - 1][next] = 50.0;
    logits.slice(2, kVocab).fill_(100.0);
    return logits;
  }

 private:
  std::string text_;
  std::size_t at_ = 0;
};

/// Many likely tokens, depending on the last three ids: sampling has a choice.
at::Tensor lively(const at::Tensor& ids) {
  const std::int64_t length = ids.size(1);
  double sum = 0.0;
  for (std::int64_t i = std::max<std::int64_t>(0, length - 3); i < length; ++i) {
    sum = 2.0 * sum + static_cast<double>(ids[0][i].item<std::int64_t>());
  }
  at::Tensor logits = at::full({1, length, kColumns}, -50.0);
  for (std::int64_t v = 'a'; v <= 'z'; ++v) {
    logits[0][length - 1][v] = 2.0 * std::sin(sum + 1.7 * static_cast<double>(v));
  }
  return logits;
}

struct Generated {
  std::string text;
  std::vector<std::string> pieces;
};

Generated run(models::LanguageModel& model, const std::string& prompt,
              const SampleOptions& options) {
  const data::ByteTokenizer tokenizer;
  Generated result;
  result.text = generate(model, tokenizer, prompt, options,
                         [&](std::string_view piece) { result.pieces.emplace_back(piece); });
  std::string joined = prompt;
  for (const std::string& piece : result.pieces) joined += piece;
  EXPECT_EQ(result.text, joined) << "what is streamed is what is returned";
  return result;
}

SampleOptions greedy(std::int64_t max_tokens) {
  SampleOptions options;
  options.max_tokens = max_tokens;
  options.temperature = 0.0;
  return options;
}

TEST(Generate, StopsAtEosAndNeverTakesPaddedColumns) {
  testing::FakeModel model(kVocab, kColumns, 64, Script(" the Lord"));
  const Generated result = run(model, "saith", greedy(100));
  EXPECT_EQ(result.text, "saith the Lord");
  EXPECT_EQ(model.calls.size(), 10U) << "nine bytes and EOS";
  testing::FakeModel sampled(kVocab, kColumns, 64, Script(" the Lord"));
  EXPECT_EQ(run(sampled, "saith", {}).text, "saith the Lord");
}

TEST(Generate, StopsAfterMaxTokens) {
  testing::FakeModel model(kVocab, kColumns, 64, Script("abcdef"));
  EXPECT_EQ(run(model, ">", greedy(4)).text, ">abcd");
  EXPECT_EQ(model.calls.size(), 4U);
  EXPECT_EQ(run(model, ">", greedy(0)).text, ">");
}

TEST(Generate, StreamsWholeCharactersFromSplitTokens) {
  testing::FakeModel model(kVocab, kColumns, 64, Script("\xC3\xA9x\xF0\x9F\x98\x80"));
  EXPECT_THAT(run(model, ">", greedy(100)).pieces,
              ElementsAre("\xC3\xA9", "x", "\xF0\x9F\x98\x80"));
  testing::FakeModel cut(kVocab, kColumns, 64, Script("a\xE2\x82"));
  EXPECT_THAT(run(cut, ">", greedy(100)).pieces, ElementsAre("a", "\xEF\xBF\xBD\xEF\xBF\xBD"));
}

TEST(Generate, SeesTheLastLMaxTokens) {
  std::vector<std::string> inputs;
  Script script("xyz");
  testing::FakeModel model(kVocab, kColumns, 4, [&](const at::Tensor& ids) {
    std::string input;
    for (std::int64_t i = 0; i < ids.size(1); ++i) {
      input += static_cast<char>(ids[0][i].item<std::int64_t>());
    }
    inputs.push_back(input);
    return script(ids);
  });
  EXPECT_EQ(run(model, "abc", greedy(3)).text, "abcxyz");
  EXPECT_THAT(inputs, ElementsAre("abc", "abcx", "bcxy"));
}

TEST(Generate, AnEmptyPromptStartsAfterEos) {
  std::int64_t first = -1;
  Script script("God");
  testing::FakeModel model(kVocab, kColumns, 16, [&](const at::Tensor& ids) {
    if (first < 0) first = ids[0][0].item<std::int64_t>();
    return script(ids);
  });
  EXPECT_EQ(run(model, "", greedy(100)).text, "God");
  EXPECT_EQ(first, data::ByteTokenizer::kEos);
}

TEST(Generate, DependsOnTheSeedAlone) {
  testing::FakeModel model(kVocab, kColumns, 64, lively);
  SampleOptions options;
  options.max_tokens = 40;
  options.seed = 11;
  const std::string text = run(model, "in", options).text;
  EXPECT_EQ(text.size(), 42U);
  EXPECT_EQ(run(model, "in", options).text, text);
  options.seed = 12;
  EXPECT_NE(run(model, "in", options).text, text);
}

TEST(Generate, TopOneAndTinyTopPEqualTemperatureZero) {
  testing::FakeModel model(kVocab, kColumns, 64, lively);
  const std::string want = run(model, "in", greedy(40)).text;
  SampleOptions top_one;
  top_one.max_tokens = 40;
  top_one.top_k = 1;
  EXPECT_EQ(run(model, "in", top_one).text, want);
  SampleOptions nucleus;
  nucleus.max_tokens = 40;
  nucleus.top_p = 1e-6;
  EXPECT_EQ(run(model, "in", nucleus).text, want);
  SampleOptions free;
  free.max_tokens = 40;
  EXPECT_NE(run(model, "in", free).text, want);
}

TEST(Generate, PutsTheTrainingModeBack) {
  testing::FakeModel model(kVocab, kColumns, 64, lively);
  model.train();
  (void)run(model, "in", greedy(2));
  EXPECT_TRUE(model.is_training());
  EXPECT_FALSE(model.trained_in_call);
}

TEST(Generate, TakesNoStream) {
  testing::FakeModel model(kVocab, kColumns, 64, Script("abc"));
  EXPECT_EQ(generate(model, data::ByteTokenizer(), ">", greedy(9), {}), ">abc");
}

/// Drops the first space of a text, as SentencePiece does.
class SpacedTokenizer final : public data::Tokenizer {
 public:
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const override {
    std::string spaced;
    if (!text.empty()) spaced.append(1, ' ').append(text);
    return bytes_.encode(spaced);
  }
  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const override {
    const std::string text = bytes_.decode(ids);
    return text.starts_with(' ') ? text.substr(1) : text;
  }
  [[nodiscard]] std::int64_t vocab_size() const override { return kVocab; }
  [[nodiscard]] std::int64_t eos_id() const override { return -1; }
  [[nodiscard]] files::Digest fingerprint() const override { return {}; }
  [[nodiscard]] std::string describe() const override { return "spaced bytes"; }
  void save(const std::filesystem::path& folder) const override { bytes_.save(folder); }

 private:
  data::ByteTokenizer bytes_;
};

TEST(Generate, KeepsTheSpacesOfAContinuation) {
  const std::string words = " and the evening and the morning were the first day ";
  testing::FakeModel model(kVocab, kColumns, 64, Script(words));
  const SpacedTokenizer tokenizer;
  EXPECT_EQ(generate(model, tokenizer, "it was so", greedy(52), {}), "it was so" + words);
}

TEST(Generate, RefusesWhatCannotWork) {
  testing::FakeModel model(kVocab, kColumns, 64, lively);
  const data::ByteTokenizer bytes;
  const auto message = [&](const SampleOptions& options) {
    return testing::message_of<UsageError>([&] { (void)generate(model, bytes, "a", options, {}); });
  };
  EXPECT_THAT(message(greedy(-1)), HasSubstr("tokens must be >= 0"));
  SampleOptions cold;
  cold.temperature = -1.0;
  EXPECT_THAT(message(cold), HasSubstr("temperature"));
  EXPECT_THAT(testing::message_of<UsageError>(
                  [&] { (void)generate(model, SpacedTokenizer(), "", greedy(3), {}); }),
              HasSubstr("the prompt is empty"));
  testing::FakeModel other(300, 304, 64, lively);
  EXPECT_THAT(testing::message_of<CheckpointError>(
                  [&] { (void)generate(other, bytes, "a", greedy(3), {}); }),
              HasSubstr("the model has 300 ids, but the tokenizer (bytes, 257 ids) has 257"));
}

}  // namespace
}  // namespace longconv::train
