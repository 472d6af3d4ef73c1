#include "train/evaluation/utf8_stream.h"

#include "data/formats/utf8.h"

#include <gmock/gmock.h>

#include <random>
#include <vector>

namespace longconv::train {
namespace {

using ::testing::ElementsAre;

const std::string kReplacement = "\xEF\xBF\xBD";

std::vector<std::string> pieces(const std::string& bytes) {
  Utf8Stream stream;
  std::vector<std::string> out;
  for (const char byte : bytes) out.push_back(stream.push(std::string(1, byte)));
  out.push_back(stream.finish());
  return out;
}

TEST(Utf8Stream, WaitsForWholeCharacters) {
  EXPECT_THAT(pieces("a\xC3\xA9"), ElementsAre("a", "", "\xC3\xA9", ""));
  EXPECT_THAT(pieces("\xE2\x82\xAC!"), ElementsAre("", "", "\xE2\x82\xAC", "!", ""));
  EXPECT_THAT(pieces("\xF0\x9F\x98\x80"), ElementsAre("", "", "", "\xF0\x9F\x98\x80", ""));
}

TEST(Utf8Stream, ReplacesWhatCanNeverBeACharacter) {
  EXPECT_THAT(pieces("\xFFx"), ElementsAre(kReplacement, "x", ""));
  EXPECT_THAT(pieces("\xC3x"), ElementsAre("", kReplacement + "x", ""));
  EXPECT_THAT(pieces("\xE0\x80"), ElementsAre("", kReplacement + kReplacement, "")) << "overlong";
  EXPECT_THAT(pieces("\xED\xA0"), ElementsAre("", kReplacement + kReplacement, "")) << "surrogate";
  EXPECT_THAT(pieces("\xF4\x90"), ElementsAre("", kReplacement + kReplacement, ""))
      << "above U+10FFFF";
  EXPECT_THAT(pieces("\xE2\x82"), ElementsAre("", "", kReplacement + kReplacement)) << "cut off";
}

TEST(Utf8Stream, AnyBytesInAnyPiecesGiveTheSameValidText) {
  std::mt19937 generator(5);
  const std::string alphabet = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xED\xA0\xFF";
  for (int round = 0; round < 300; ++round) {
    std::string bytes;
    for (int i = 0; i < 40; ++i) bytes += alphabet[generator() % alphabet.size()];
    Utf8Stream at_once;
    std::string want = at_once.push(bytes);
    want += at_once.finish();
    ASSERT_EQ(data::utf8_error(want), std::string_view::npos);
    Utf8Stream in_pieces;
    std::string got;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = 1 + generator() % 5;
      const std::string piece = in_pieces.push(std::string_view(bytes).substr(at, size));
      ASSERT_EQ(data::utf8_error(piece), std::string_view::npos);
      got += piece;
      at += size;
    }
    ASSERT_EQ(got + in_pieces.finish(), want);
  }
}

}  // namespace
}  // namespace longconv::train
