#include "core/base/error.h"
#include "data/tokenizers/bpe.h"
#include "tests/data/helpers.h"
#include "tests/data/tokenizers/small_bpe.h"

#include <gmock/gmock.h>

namespace longconv::data {
namespace {

using test::message_of;
using test::replaced;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const test::WrittenMerges kMerges{{"h", "e"}, {"l", "l"}, {"he", "ll"}};

std::string written() { return write_tokenizer_json(test::small_vocabulary(kMerges)); }

std::string message(const std::string& from, const std::string& to) {
  return message_of<DataError>(
      [&] { (void)parse_tokenizer_json(replaced(written(), from, to), "t.json"); });
}

TEST(TokenizerJson, ComesBackAsItWasWritten) {
  const auto vocabulary = parse_tokenizer_json(written(), "t.json");
  EXPECT_EQ(content_of(vocabulary), content_of(test::small_vocabulary(kMerges)));
  EXPECT_EQ(vocabulary.eos, 259);
}

TEST(TokenizerJson, HasMergesInEitherForm) {
  const auto pairs =
      parse_tokenizer_json(replaced(written(), "\"he ll\"", "[\"he\", \"ll\"]"), "t.json");
  EXPECT_EQ(content_of(pairs), content_of(test::small_vocabulary(kMerges)));
}

TEST(TokenizerJson, TakesAddedTokensThatTheVocabularyLacks) {
  const auto more =
      parse_tokenizer_json(replaced(written(), "\"added_tokens\":[",
                                    R"("added_tokens":[{"id":260,"content":"two words"},)"),
                           "t.json");
  EXPECT_THAT(more.specials, ElementsAre(259, 260));
  EXPECT_THAT(make_bpe(more)->encode("two wordshe"), ElementsAre(260, 256));
}

TEST(TokenizerJson, RefusesWhatWouldChangeTheIds) {
  EXPECT_THAT(
      message("\"normalizer\":null", R"("normalizer":{"type":"NFC"})"),
      AllOf(StartsWith("t.json:1:"), HasSubstr("a normalizer is not supported: expected none")));
  EXPECT_THAT(message("\"ByteLevel\"", "\"Split\""),
              HasSubstr("pre_tokenizer.type: expected \"ByteLevel\""));
  EXPECT_THAT(message("\"add_prefix_space\":false", "\"add_prefix_space\":true"),
              HasSubstr("add_prefix_space"));
  EXPECT_THAT(message("\"use_regex\":true", "\"use_regex\":false"), HasSubstr("use_regex = true"));
  EXPECT_THAT(message("\"type\":\"BPE\"", "\"type\":\"Unigram\""),
              HasSubstr("model.type: expected \"BPE\""));
  EXPECT_THAT(message("\"dropout\":null", "\"dropout\":0.1"),
              HasSubstr("dropout is not supported"));
  EXPECT_THAT(message("\"end_of_word_suffix\":null", R"("end_of_word_suffix":"</w>")"),
              HasSubstr("end_of_word_suffix is not supported"));
  EXPECT_THAT(message("\"lstrip\":false", "\"lstrip\":true"),
              HasSubstr("added_tokens: lstrip is not supported"));
  EXPECT_THAT(message("\"id\":259", "\"id\":7"), HasSubstr("has id 7, and 259 in model.vocab"));
}

TEST(TokenizerJson, RefusesAnAddedTokenThatStandsForTwoTexts) {
  const std::string space = R"("added_tokens":[{"id":32,"content":"\u0120"},)";
  EXPECT_THAT(message("\"added_tokens\":[", space), HasSubstr("would stand for two texts"));
}

TEST(TokenizerJson, NamesThePlaceOfWhatIsBroken) {
  EXPECT_THAT(message("\"he ll\"", "\"hell\""),
              AllOf(StartsWith("t.json:1:"), HasSubstr("expected a merge")));
  EXPECT_THAT(message("\"he ll\"", "\"he q\""),
              AllOf(StartsWith("t.json:1:"), HasSubstr("has no \"heq\"")));
  EXPECT_THAT(message("\"model\"", "\"modell\""), HasSubstr("expected the key \"model\""));
  EXPECT_THAT(message("\"pre_tokenizer\"", "\"pre\""), HasSubstr("expected a pre_tokenizer"));
  EXPECT_THAT(message("\"version\":\"1.0\"", "\"version\":" + std::string(40, '[')),
              HasSubstr("nest deeper"));
  EXPECT_THAT(message("\"version\":\"1.0\"", "\"version\":1.x"), HasSubstr("expected a value"));
  EXPECT_THAT(message("\"version\":\"1.0\"", "\"model\":null"), HasSubstr("expected an object"));
  const std::string whole = written();
  for (std::size_t kept = 0; kept + 2 < whole.size(); kept += 211) {
    EXPECT_THAT(
        message_of<DataError>([&] { (void)parse_tokenizer_json(whole.substr(0, kept), "t.json"); }),
        StartsWith("t.json:1:"))
        << kept;
  }
}

}  // namespace
}  // namespace longconv::data
