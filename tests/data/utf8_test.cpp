#include "data/formats/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace longconv::data {
namespace {

using namespace std::string_literals;

TEST(Utf8, AcceptsEveryLengthUpToTheLastCodePoint) {
  for (const std::string& text : {"a"s, "\0"s, "\u00e9"s, "\u0800"s, "\ud7ff"s, "\ue000"s,
                                  "\uffff"s, "\U00010000"s, "\U0010ffff"s}) {
    EXPECT_EQ(utf8_length(text), text.size());
    EXPECT_EQ(utf8_error(text), std::string::npos);
  }
}

TEST(Utf8, RefusesOverlongSurrogatesTooLargeAndCutCharacters) {
  for (const std::string& text :
       {"\x80"s, "\xc0\x80"s, "\xc1\xbf"s, "\xe0\x80\x80"s, "\xe0\x9f\xbf"s, "\xed\xa0\x80"s,
        "\xf0\x8f\xbf\xbf"s, "\xf4\x90\x80\x80"s, "\xf5\x80\x80\x80"s, "\xff"s, "\xc3"s,
        "\xe2\x82"s, "\xf0\x9f\x98"s, "\xe2\x28\xa1"s}) {
    EXPECT_EQ(utf8_length(text), 0U);
    EXPECT_EQ(utf8_error("twelve ASCII" + text), 12U);
  }
}

TEST(Utf8, FloorFindsTheBeginningOfTheCharacter) {
  const std::string text = "a\U0001F600b";
  for (std::size_t i = 1; i < 5; ++i) EXPECT_EQ(utf8_floor(text, i), 1U) << i;
  EXPECT_EQ(utf8_floor(text, 5), 5U);
  EXPECT_EQ(utf8_floor(text, 99), text.size());
}

}  // namespace
}  // namespace longconv::data
