#include "train/report/markup.h"

#include "tests/train/report/xml_check.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace longconv::train {
namespace {

TEST(Markup, EscapesWhatWouldBeRead) {
  EXPECT_EQ(escape(R"(<b class="x">'&'</b>)"),
            "&lt;b class=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/b&gt;");
  EXPECT_EQ(escape("Gr\xC3\xBC\xC3\x9F"), "Gr\xC3\xBC\xC3\x9F");
}

TEST(Markup, ReplacesWhatXmlCannotHold) {
  EXPECT_EQ(escape(std::string_view("a\0b\x1B", 4)),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
  EXPECT_EQ(escape("\xC3(\xE2\x82"), "\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(escape("\xEF\xBF\xBF"), "\xEF\xBF\xBD");
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  EXPECT_EQ(testing::XmlCheck(escape(every_byte)).error(), "");
  EXPECT_NE(testing::XmlCheck(every_byte).error(), "") << "the checker accepts anything";
}

TEST(Markup, PrintsBrokenBytesAsQuestionMarks) {
  EXPECT_EQ(printable("a\nb\xFF\xC3\xA9"), "a?b?\xC3\xA9");
}

TEST(Markup, ShortNumbersHaveFourDigits) {
  EXPECT_EQ(short_number(3.21449), "3.214");
  EXPECT_EQ(short_number(0.0006), "0.0006");
  EXPECT_EQ(short_number(0.0), "0");
  EXPECT_EQ(short_number(81234.4), "81234");
  EXPECT_EQ(short_number(-2.5e-7), "-2.5e-07");
  EXPECT_EQ(short_number(std::nan("")), "-");
  EXPECT_EQ(short_number(std::numeric_limits<double>::infinity()), "inf");
}

TEST(Markup, PrefixesKeepThreeDigits) {
  EXPECT_EQ(with_prefix(0.0), "0");
  EXPECT_EQ(with_prefix(7.0), "7.00");
  EXPECT_EQ(with_prefix(999.4), "999");
  EXPECT_EQ(with_prefix(999.6), "1.00k");
  EXPECT_EQ(with_prefix(81234.0), "81.2k");
  EXPECT_EQ(with_prefix(842626.0), "843k");
  EXPECT_EQ(with_prefix(1.53e8), "153M");
  EXPECT_EQ(with_prefix(-1.24e9), "-1.24G");
  EXPECT_EQ(short_bytes(999), "999 B");
  EXPECT_EQ(short_bytes(999'960), "1.0 MB");
  EXPECT_EQ(short_bytes(1'234'567'890), "1.2 GB");
}

TEST(Markup, ClockTimesGrowFields) {
  EXPECT_EQ(clock_time(7.4), "0:07");
  EXPECT_EQ(clock_time(59.6), "1:00");
  EXPECT_EQ(clock_time(754), "12:34");
  EXPECT_EQ(clock_time(3 * 3600 + 5 * 60 + 9), "3:05:09");
  EXPECT_EQ(clock_time(2 * 86400 + 3 * 3600 + 65), "2d 03:01:05");
  EXPECT_EQ(clock_time(std::nan("")), "-");
  EXPECT_EQ(clock_time(-1.0), "-");
}

TEST(Markup, TimesReadBack) {
  EXPECT_EQ(utc_time(0.0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(utc_time(1769862896.7891), "2026-01-31T12:34:56.789Z");
  EXPECT_DOUBLE_EQ(parse_utc_time("2026-01-31T12:34:56.789Z"), 1769862896.789);
  EXPECT_GT(parse_utc_time(utc_time()), 1.7e9);
  EXPECT_TRUE(std::isnan(parse_utc_time("2026-01-31 12:34:56")));
  EXPECT_TRUE(std::isnan(parse_utc_time("2026-01-31T12:34:56.789Z and more")));
}

}  // namespace
}  // namespace longconv::train
