#include "data/tokenizers/gpt2_pieces.h"

#include "data/tokenizers/unicode.h"

#include <gmock/gmock.h>

#include <random>
#include <string>
#include <vector>

namespace longconv::data {
namespace {

using ::testing::ElementsAre;
using Pieces = std::vector<std::string>;

Pieces pieces(std::string_view text) {
  Pieces out;
  for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    end = gpt2_piece_end(text, begin);
    if (end <= begin || end > text.size()) return {"does not go on"};
    out.emplace_back(text.substr(begin, end - begin));
  }
  return out;
}

TEST(Gpt2Pieces, CutWordsNumbersAndTheRestWithOneSpaceBefore) {
  EXPECT_THAT(pieces("Hello world, 12 times!"),
              ElementsAre("Hello", " world", ",", " 12", " times", "!"));
  EXPECT_THAT(pieces("x=3.14"), ElementsAre("x", "=", "3", ".", "14"));
  EXPECT_THAT(pieces(" a"), ElementsAre(" a"));
  EXPECT_THAT(pieces(""), ElementsAre());
}

TEST(Gpt2Pieces, KnowContractionsInLowerCaseOnly) {
  EXPECT_THAT(pieces("don't you're I'LL"),
              ElementsAre("don", "'t", " you", "'re", " I", "'", "LL"));
  EXPECT_THAT(pieces("'s 'S"), ElementsAre("'s", " '", "S"));
  EXPECT_THAT(pieces("'ve'll'd'm"), ElementsAre("'ve", "'ll", "'d", "'m"));
  EXPECT_THAT(pieces("'r 'l 'v"), ElementsAre("'", "r", " '", "l", " '", "v"));
  EXPECT_THAT(pieces("''s"), ElementsAre("''", "s"));  // the run of others is leftmost
  EXPECT_THAT(pieces("'sx"), ElementsAre("'s", "x"));
  EXPECT_THAT(pieces("'"), ElementsAre("'"));
}

TEST(Gpt2Pieces, GiveTheLastOfSeveralSpacesToTheNextWord) {
  EXPECT_THAT(pieces("a   b"), ElementsAre("a", "  ", " b"));
  EXPECT_THAT(pieces("a  "), ElementsAre("a", "  "));
  EXPECT_THAT(pieces("a\nb"), ElementsAre("a", "\n", "b"));
  EXPECT_THAT(pieces("a \nb"), ElementsAre("a", " ", "\n", "b"));  // only U+0020 joins a word
  EXPECT_THAT(pieces("\n\n x"), ElementsAre("\n\n", " x"));
  EXPECT_THAT(pieces("a\u00a0\u2028b"), ElementsAre("a", "\u00a0", "\u2028", "b"));
  EXPECT_THAT(pieces("\u3000\u3000"), ElementsAre("\u3000\u3000"));
}

TEST(Gpt2Pieces, KnowUnicodesClasses) {
  EXPECT_THAT(pieces("na\u00efve\u0661\u0662\u2167"),
              ElementsAre("na\u00efve", "\u0661\u0662\u2167"));  // letters; digits and a numeral
  EXPECT_THAT(pieces("e\u0301a"), ElementsAre("e", "\u0301", "a"));    // a mark is no letter
  EXPECT_THAT(pieces("\u200b\u0378."), ElementsAre("\u200b\u0378."));  // Cf, unassigned
  EXPECT_THAT(pieces("\U00010330\U0001F600"), ElementsAre("\U00010330", "\U0001F600"));
}

TEST(Gpt2Pieces, CutStrayBytesLikeTheReplacementCharacter) {
  EXPECT_THAT(pieces("a\xff\xfe!b"), ElementsAre("a", "\xff\xfe!", "b"));
  EXPECT_THAT(pieces(" \xc3"), ElementsAre(" \xc3"));
  EXPECT_THAT(pieces("\xe2\x96 x"), ElementsAre("\xe2\x96", " x"));
}

TEST(Gpt2Pieces, TileEveryText) {
  std::mt19937 random(3);
  for (int i = 0; i < 2000; ++i) {
    std::string text(random() % 40, '\0');
    for (char& byte : text)
      byte = i % 2 == 0 ? static_cast<char>(random()) : "a1 '\ns\xc2\x85"[random() % 8];
    std::string joined;
    for (const std::string& piece : pieces(text)) joined += piece;
    ASSERT_EQ(joined, text);
  }
}

TEST(Unicode, IsSixteenForGpt2AndFifteenForBert) {
  EXPECT_EQ(char_class(0x11F04), CharClass::letter) << "Kawi came with 15.0";
  EXPECT_EQ(char_class(0x2EBF0), CharClass::letter) << "extension I came with 15.1";
  EXPECT_EQ(char_class(0x10D40), CharClass::number) << "Garay digits came with 16.0";
  EXPECT_EQ(char_class(0x1E5F0), CharClass::letter);
  EXPECT_EQ(char_class(0x1E5F1), CharClass::number);
  EXPECT_EQ(char_class(0x1E5FB), CharClass::other);
  EXPECT_FALSE(is_control(0x11F04));
  EXPECT_TRUE(is_control(0x2EBF0)) << "a utf8proc newer than 2.8: BERT's ids would change; compare "
                                      "again (scripts/compare_tokenizers)";
}

TEST(Unicode, OrdersMarksAsNfdDoes) {
  std::vector<char32_t> text;
  for (const char32_t code : {U'\u1E69', U'\u0301', U'\uAC01', U'\u0344'}) decompose(code, text);
  order_marks(text);
  // s, dot below, dot above, acute; G, A, G; diaeresis, acute.
  EXPECT_THAT(text, ElementsAre(U's', U'\u0323', U'\u0307', U'\u0301', U'\u1100', U'\u1161',
                                U'\u11A8', U'\u0308', U'\u0301'));
}

}  // namespace
}  // namespace longconv::data
