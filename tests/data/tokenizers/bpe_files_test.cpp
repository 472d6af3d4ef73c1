#include "core/base/error.h"
#include "data/tokenizers/tokenizer.h"
#include "tests/data/helpers.h"
#include "tests/data/tokenizers/small_bpe.h"

#include <gmock/gmock.h>

namespace longconv::data {
namespace {

using namespace std::string_literals;
using test::message_of;
using test::replaced;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const test::WrittenMerges kMerges{{"h", "e"}, {"l", "l"}, {"\u0120", "w"}, {"he", "ll"}};

std::string message(const std::string& merges, const std::string& ids) {
  return message_of<DataError>([&] { (void)parse_bpe_files(merges, "m.bpe", ids, "e.json"); });
}

std::string with_merges(const std::string& from, const std::string& to) {
  const test::SmallBpe files = test::small_bpe(kMerges);
  return message(replaced(files.merges, from, to), files.ids);
}

std::string with_ids(const std::string& from, const std::string& to) {
  const test::SmallBpe files = test::small_bpe(kMerges);
  return message(files.merges, replaced(files.ids, from, to));
}

TEST(BpeFiles, GiveTokensMergesAndTheSpecialOne) {
  const BpeVocabulary vocabulary = test::small_vocabulary(kMerges);
  ASSERT_EQ(vocabulary.tokens.size(), 256U + 4 + 1);
  EXPECT_EQ(vocabulary.tokens[258], " w");
  EXPECT_EQ(vocabulary.tokens[259], "hell");
  EXPECT_EQ(vocabulary.merges[3].left, 256);
  EXPECT_EQ(vocabulary.merges[3].right, 257);
  EXPECT_THAT(vocabulary.specials, ElementsAre(260));
  EXPECT_EQ(vocabulary.eos, 260);
  const auto tokenizer = make_bpe(vocabulary);
  EXPECT_THAT(tokenizer->encode("hell w"), ElementsAre(259, 258));
  EXPECT_THAT(tokenizer->encode("he<|endoftext|>"), ElementsAre(256, 260));
  EXPECT_EQ(tokenizer->decode({259, 260, 258}), "hell<|endoftext|> w");
}

TEST(BpeFiles, TakeSpecialTokensAsTextIfAsked) {
  const auto plain = make_bpe(test::small_vocabulary(kMerges), {/*special_text=*/false});
  const auto usual = make_bpe(test::small_vocabulary(kMerges));
  EXPECT_EQ(plain->encode("<|endoftext|>").size(), 13U);
  EXPECT_EQ(plain->decode(plain->encode("<|endoftext|>")), "<|endoftext|>");
  EXPECT_NE(plain->fingerprint(), usual->fingerprint());
  const test::ScratchFolder folder;
  plain->save(folder.path());
  EXPECT_EQ(open_tokenizer(folder.path().string())->encode("<|endoftext|>").size(), 13U);
}

TEST(BpeFiles, NeedNoVersionLine) {
  const test::SmallBpe files = test::small_bpe(kMerges);
  const auto vocabulary = parse_bpe_files(files.merges.substr(14), "m", files.ids, "e");
  EXPECT_EQ(content_of(vocabulary), content_of(test::small_vocabulary(kMerges)));
}

TEST(BpeFiles, NameTheLineOfABadMerge) {
  EXPECT_THAT(with_merges("l l\n", "l l x\n"), StartsWith("m.bpe:3: expected a merge"));
  EXPECT_THAT(with_merges("l l\n", "ll\n"), StartsWith("m.bpe:3: expected a merge"));
  EXPECT_THAT(with_merges("l l\n", "\n"), StartsWith("m.bpe:3: expected a merge"));
  EXPECT_THAT(with_merges("l l\n", "l l\r\n"), StartsWith("m.bpe:3: ends with CR LF"));
  EXPECT_THAT(with_merges("he ll\n", "he ll"), StartsWith("m.bpe:5: the last line has no end"));
  EXPECT_THAT(with_merges("l l", "l\xff l"), StartsWith("m.bpe:3: byte 19 (0xFF) is not UTF-8"));
  EXPECT_THAT(with_merges("#version", "\xEF\xBB\xBF#version"),
              StartsWith("m.bpe:1: begins with a"));
  EXPECT_THAT(with_merges("l l\n", "l l\nl l\n"),
              HasSubstr("m.bpe:4: merge \"l l\" stands there twice"));
  EXPECT_THAT(with_merges("l l\n", "l q\n"),
              HasSubstr("m.bpe:3: merge \"l q\": the vocabulary has no \"lq\""));
  EXPECT_THAT(message("", "{}"), StartsWith("m.bpe:1: expected a vocabulary, got an empty file"));
}

TEST(BpeFiles, NameThePlaceOfABadToken) {
  EXPECT_THAT(with_ids("\"he\"", "\"ll\""),
              AllOf(StartsWith("e.json:1:"), HasSubstr("\"ll\" stands there twice")));
  EXPECT_THAT(with_ids("\"he\": 256", "\"he\": 7"),
              HasSubstr("token \"he\" has id 7, as \"\u0107\" has"));
  EXPECT_THAT(with_ids("\"he\": 256", "\"he\": 4000000000"),
              HasSubstr("expected ids from 0 to 260"));
  EXPECT_THAT(with_ids("\"he\": 256", "\"he\": -1"), HasSubstr("has id -1"));
  EXPECT_THAT(with_ids("\"he\": 256", "\"he\": 2.56"), HasSubstr("expected an integer"));
  EXPECT_THAT(with_ids("\"he\": 256", "\"he\": \"256\""),
              HasSubstr("expected an integer, got \"256\""));
  EXPECT_THAT(with_ids("\"he\": 256", "\"\": 256"), HasSubstr("expected a token of 1 to"));
  EXPECT_THAT(with_ids("\"A\"", "\"new\""), HasSubstr("no token for byte 0x41, expected \"A\""));
  EXPECT_THAT(
      with_ids("<|endoftext|>", "whole"),
      AllOf(HasSubstr("token \"whole\" (id 260) is no byte"), HasSubstr("are merges missing")));
}

TEST(BpeFiles, NoticeFilesCutShort) {
  const test::SmallBpe files = test::small_bpe(kMerges);
  EXPECT_THAT(message(files.merges.substr(0, files.merges.size() - 6), files.ids),
              HasSubstr("token \"hell\" (id 259) is no byte, no merge makes it"));
  for (const std::size_t kept : {0U, 1U, 9U, 700U}) {
    EXPECT_THAT(message(files.merges, files.ids.substr(0, kept)), StartsWith("e.json:1:")) << kept;
  }
  EXPECT_THAT(message(files.merges, files.ids + "}"),
              HasSubstr("expected the end of the text, got }"));
}

TEST(JsonStrings, KnowEscapesAndRefuseHalfCharacters) {
  EXPECT_THAT(with_ids("\"he\"", "\"\\ud800\""), HasSubstr("half of a surrogate pair"));
  EXPECT_THAT(with_ids("\"he\"", "\"\\udc00\\ud800\""), HasSubstr("half of a surrogate pair"));
  EXPECT_THAT(with_ids("\"he\"", "\"\\u12g4\""), HasSubstr("four hexadecimal digits"));
  EXPECT_THAT(with_ids("\"he\"", "\"\\x\""), HasSubstr("expected an escape of JSON"));
  EXPECT_THAT(with_ids("\"he\"", "\"\x01\""), HasSubstr("control character"));
  const test::SmallBpe files = test::small_bpe(kMerges);
  const std::string escaped =
      replaced(replaced(files.ids, "\"he\"", "\"\\u0068e\""), "<|", "<\\ud83d\\ude00|");
  const auto vocabulary = parse_bpe_files(files.merges, "m", escaped, "e");
  EXPECT_EQ(vocabulary.tokens[256], "he");
  EXPECT_EQ(vocabulary.tokens[260], "<\U0001F600|endoftext|>");
}

}  // namespace
}  // namespace longconv::data
