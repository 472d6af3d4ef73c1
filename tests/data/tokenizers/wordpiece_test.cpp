#include "data/tokenizers/wordpiece.h"

#include "data/tokenizers/bert_pair.h"
#include "data/tokenizers/bert_text.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

namespace longconv::data {
namespace {

using test::message_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  for_each_bert_word(text, [&](std::string_view word, std::size_t) { out.emplace_back(word); });
  return out;
}

TEST(BertText, LowersStripsAndCuts) {
  EXPECT_THAT(words("Hello, World!"), ElementsAre("hello", ",", "world", "!"));
  EXPECT_THAT(words("\u00c5ngstr\u00f6m \u0130 \u00c9"), ElementsAre("angstrom", "i", "e"));
  EXPECT_THAT(words("stra\u00dfe \ufb01 \u00d8"), ElementsAre("stra\u00dfe", "\ufb01", "\u00f8"));
  EXPECT_THAT(words("\u039f\u0394\u039f\u03a3"),
              ElementsAre("\u03bf\u03b4\u03bf\u03c3"));  // no final sigma
  EXPECT_THAT(words("a$b^c`d\u2019e"),
              ElementsAre("a", "$", "b", "^", "c", "`", "d", "\u2019", "e"));
  EXPECT_THAT(words("\u037e\u1fef"), ElementsAre(";", "`"));  // canonical twins of ASCII signs
  EXPECT_THAT(words("\u0301 \u0301a"), ElementsAre("a"));     // a mark alone is no word
}

TEST(BertText, DropsControlCharactersAndJoinsTheirNeighbours) {
  EXPECT_THAT(words("foo\u200bbar b\u00adaz \ufeffx\u0085y"), ElementsAre("foobar", "baz", "xy"));
  EXPECT_THAT(words(std::string_view("a\0b\ufffdc\x1fz", 9)), ElementsAre("abcz"));
  EXPECT_THAT(words("a\tb\nc\rd\u00a0e\u2028f\u3000g"),
              ElementsAre("a", "b", "c", "d", "e", "f", "g"));
  EXPECT_THAT(words("a\xff"
                    "b\xc3"),
              ElementsAre("ab"));                     // stray bytes are U+FFFD
  EXPECT_THAT(words("\u0378\ue000"), ElementsAre());  // unassigned, private
}

TEST(BertText, MakesIdeographsWordsAndLeavesKanaAndHangul) {
  EXPECT_THAT(words("\u65e5\u672cx\U00020000"), ElementsAre("\u65e5", "\u672c", "x", "\U00020000"));
  EXPECT_THAT(words("\u30ab\u30bf"), ElementsAre("\u30ab\u30bf"));
  EXPECT_THAT(words("\u304c"), ElementsAre("\u304b"));  // the voiced mark is a mark
  EXPECT_THAT(words("\uac00"), ElementsAre("\u1100\u1161"));
  EXPECT_THAT(words("\uf900"), ElementsAre("\u8c48"));  // a compatibility ideograph's own
}

constexpr char kVocabulary[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\nable\n,\na\n##a\n##\u00e9\n";

std::shared_ptr<const Tokenizer> small(const TokenizerOptions& options = {}) {
  return parse_wordpiece(kVocabulary, "vocab.txt", options);
}

TEST(WordPiece, TakesTheLongestPiecesFromTheLeft) {
  EXPECT_THAT(small()->encode("unaffable, able"), ElementsAre(5, 6, 7, 9, 8));
  EXPECT_THAT(small()->encode("unx able"), ElementsAre(1, 8)) << "the whole word is unknown";
  EXPECT_THAT(small()->encode("ablex"), ElementsAre(1));
  EXPECT_EQ(small()->decode({5, 6, 7, 9, 8, 6}), "unaffable , ableaff");
  EXPECT_EQ(small()->decode({6, 3}), "##aff [SEP]");
}

TEST(WordPiece, TakesWordsOfAHundredCharacters) {
  EXPECT_EQ(small()->encode(std::string(100, 'a')).size(), 100U);
  EXPECT_THAT(small()->encode(std::string(101, 'a')), ElementsAre(1));
  EXPECT_EQ(
      small()->encode(std::string(90, 'a') + "\u0301\u0301\u0301\u0301\u0301aaaaaaaaaa").size(),
      100U)
      << "marks are gone before characters are counted";
}

TEST(WordPiece, FindsSpecialTokensInTextUnlessAskedNotTo) {
  EXPECT_THAT(small()->encode("a[MASK]un [SEP]"), ElementsAre(10, 4, 5, 3));
  EXPECT_THAT(small({/*special_text=*/false})->encode("a[MASK]"), ElementsAre(10, 1, 1, 1));
  EXPECT_THAT(small()->encode("[mask]"), ElementsAre(1, 1, 1));
}

TEST(BertPair, PutsSpecialTokensAndTypes) {
  const std::vector<std::int32_t> a{1, 2, 3};
  const std::vector<std::int32_t> b{7, 8};
  EXPECT_THAT(bert_pair(a, {}, 128).ids, ElementsAre(101, 1, 2, 3, 102));
  const BertPair two = bert_pair(a, b, 128);
  EXPECT_THAT(two.ids, ElementsAre(101, 1, 2, 3, 102, 7, 8, 102));
  EXPECT_THAT(two.types, ElementsAre(0, 0, 0, 0, 0, 1, 1, 1));
}

TEST(BertPair, DropsFromTheLongerAndAtEqualLengthFromTheSecond) {
  const std::vector<std::int32_t> a{1, 2, 3};
  const std::vector<std::int32_t> b{7, 8};
  EXPECT_THAT(bert_pair(a, b, 7).ids, ElementsAre(101, 1, 2, 102, 7, 8, 102));
  EXPECT_THAT(bert_pair(a, b, 6).ids, ElementsAre(101, 1, 2, 102, 7, 102));
  EXPECT_THAT(bert_pair(a, b, 3).ids, ElementsAre(101, 102, 102));
  EXPECT_THAT(bert_pair(a, {}, 4).ids, ElementsAre(101, 1, 2, 102));
  EXPECT_THAT(message_of<DataError>([&] { (void)bert_pair(a, b, 2); }), HasSubstr("at least 3"));
}

TEST(WordPiece, IsTheSameAfterSaveAndOpenAndCountsWhatItDidNotKnow) {
  const auto tokenizer = small({/*special_text=*/false});
  const test::ScratchFolder folder;
  tokenizer->save(folder.path());
  const auto opened = open_tokenizer(folder.path().string());
  EXPECT_EQ(opened->fingerprint(), tokenizer->fingerprint());
  EXPECT_NE(opened->fingerprint(), small()->fingerprint());
  EXPECT_EQ(opened->eos_id(), 3);
  EXPECT_EQ(opened->encode("[SEP]").size(), 3U);
  EXPECT_FALSE(opened->lossless());
  EXPECT_EQ(opened->remarks(), "3 of 3 ids are [UNK]");
  EXPECT_EQ(small()->remarks(), "");
}

TEST(WordPiece, NamesTheLineOfABadVocabulary) {
  const auto message = [](const std::string& text) {
    return message_of<DataError>([&] { (void)parse_wordpiece(text, "v.txt"); });
  };
  EXPECT_THAT(message("[UNK]\na\nb\na\n"),
              StartsWith("v.txt:4: token \"a\" stands there twice, first in line 2"));
  EXPECT_THAT(message("[UNK]\n\na\n"), StartsWith("v.txt:2: expected a token of 1 to"));
  EXPECT_THAT(message("[UNK]\na\r\n"), StartsWith("v.txt:2: ends with CR LF"));
  EXPECT_THAT(message("\xEF\xBB\xBF[UNK]\n"), StartsWith("v.txt:1: begins with a byte order mark"));
  EXPECT_THAT(message("[UNK]\na\xc3\n"), StartsWith("v.txt:2: byte 7 (0xC3) is not UTF-8"));
  EXPECT_THAT(message("[UNK]\nThe\n"), HasSubstr("v.txt:2: token \"The\" has capitals"));
  EXPECT_THAT(message("[UNK]\nth"), StartsWith("v.txt:2: the last line has no end"));
  EXPECT_THAT(message("a\nb\n"), HasSubstr("expected the token [UNK]"));
  EXPECT_THAT(message("[UNK]\n" + std::string(5000, 'a') + "\n"),
              StartsWith("v.txt:2: expected a token"));
  EXPECT_THAT(message(""), StartsWith("v.txt:1: expected a vocabulary"));
}

}  // namespace
}  // namespace longconv::data
