#include "data/formats/document_blocks.h"

#include "data/formats/document_parser.h"
#include "data/formats/documents.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

namespace longconv::data {
namespace {

using namespace std::string_literals;
using test::bytes_of;
using test::message_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kLines = BlockOptions::Content::lines;
constexpr auto kText = BlockOptions::Content::text;

std::vector<DocumentBlock> blocks_of(const std::string& content, const BlockOptions& options) {
  DocumentBlocks blocks(memory_bytes(bytes_of(content), "in"), options);
  std::vector<DocumentBlock> out;
  for (DocumentBlock block; blocks.next(block);) out.push_back(std::move(block));
  return out;
}

std::string joined(const std::vector<DocumentBlock>& blocks) {
  std::string out;
  for (const DocumentBlock& block : blocks) {
    EXPECT_EQ(block.offset, static_cast<std::int64_t>(out.size()));
    EXPECT_EQ(block.first_line, 1 + std::count(out.begin(), out.end(), '\n'));
    EXPECT_EQ(std::string_view(block.storage.get(), block.size + kLinePadding).size(),
              block.size + kLinePadding);
    out += block.bytes();
  }
  return out;
}

/// Lines of growing length, several blocks of them.
std::string many_lines(const std::string& end) {
  std::string out;
  for (int i = 0; out.size() < 1'000'000; ++i) {
    out += std::string(static_cast<std::size_t>(i % 900), static_cast<char>('a' + i % 26)) + end;
  }
  return out;
}

TEST(DocumentBlocks, OfLinesAreWholeLines) {
  const std::string content = many_lines("\n") + "no line end here";
  const auto blocks = blocks_of(content, {.content = kLines, .block_bytes = 1000});
  EXPECT_GT(blocks.size(), 3U);
  EXPECT_TRUE(joined(blocks) == content);
  for (std::size_t i = 0; i + 1 < blocks.size(); ++i) EXPECT_EQ(blocks[i].bytes().back(), '\n');
  EXPECT_TRUE(blocks_of("", {.content = kLines}).empty());
}

TEST(DocumentBlocks, ALineAboveTheLimitIsLeftOutAndNamed) {
  const std::string big(400'000, 'x');
  const std::string content = "one\n" + big + "\ntwo\nthree\n" + big;
  const auto blocks = blocks_of(
      content, {.content = kLines, .block_bytes = 1000, .longest = 300'000});  // 263 KB at least
  std::string kept;
  std::vector<std::int64_t> numbers;
  for (const DocumentBlock& block : blocks) {
    kept += block.bytes();
    for (const LongLine& line : block.too_long) {
      numbers.push_back(line.number);
      EXPECT_EQ(line.bytes, 400'000);
      EXPECT_EQ(line.begins, std::string(100, 'x'));
    }
  }
  EXPECT_EQ(kept, "one\ntwo\nthree\n");
  EXPECT_THAT(numbers, ElementsAre(2, 5));
}

TEST(DocumentBlocks, ATextIsCutOnlyBetweenLinesThatTouch) {
  const std::string content = many_lines(" \n").insert(0, 1, '\n') + many_lines("\n") + " end";
  const auto blocks = blocks_of(content, {.content = kText, .block_bytes = 1000});
  ASSERT_GT(blocks.size(), 3U);
  EXPECT_TRUE(joined(blocks) == content);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(blocks[i].begins, i == 0);
    EXPECT_EQ(blocks[i].ends, i + 1 == blocks.size());
    if (blocks[i].ends) continue;
    const std::string_view text = blocks[i].bytes();
    EXPECT_EQ(text.back(), '\n');
    EXPECT_GT(text[text.size() - 2], ' ');
    EXPECT_GT(blocks[i + 1].bytes().front(), ' ');
  }
  EXPECT_EQ(blocks_of(content, {.content = kText, .block_bytes = 1000, .cut_text = false}).size(),
            1U);
}

TEST(DocumentBlocks, ATextMayBeTwoDocuments) {
  const std::string content = many_lines("\n");
  for (const std::int64_t second : {1, 5000, 500'000, 999'999}) {
    const auto blocks =
        blocks_of(content, {.content = kText, .block_bytes = 1000, .second_at = second});
    EXPECT_TRUE(joined(blocks) == content);
    std::vector<std::int64_t> begins;
    std::int64_t ends = 0;
    for (const DocumentBlock& block : blocks) {
      if (block.begins) begins.push_back(block.offset);
      ends += block.ends ? 1 : 0;
    }
    EXPECT_THAT(begins, ElementsAre(0, second));
    EXPECT_EQ(ends, 2);
  }
}

TEST(DocumentBlocks, ATextWithoutPlacesToCutHasALimit) {
  const std::string content(400'000, 'x');
  const BlockOptions options{.content = kText, .block_bytes = 1000, .longest = 300'000};
  EXPECT_THAT(message_of<DataError>([&] { blocks_of(content, options); }), HasSubstr("in:1: "));
  EXPECT_THAT(message_of<DataError>([&] { blocks_of("ab\ncd" + content, options); }),
              HasSubstr("without an end or a line break to cut at, the limit is 300000"));
  EXPECT_EQ(blocks_of(content.substr(0, 299'000), options).size(), 1U);
}

/// What the fast parser and the exact one make of a line.
std::string fast(const std::string& line) {
  const std::string padded = line + std::string(kLinePadding, '"');
  DocumentParser parser;
  return std::string(parser.parse({padded.data(), line.size()}, "in", 7));
}

TEST(DocumentParser, AgreesWithTheExactOne) {
  for (const std::string& line :
       {R"({"text": "a\nb\u00e9\ud83d\ude00\u0000\/\"", "meta": {"text": "not this"}})"s,
        R"({"n": [1, 2.5e300, null, true, {"text": 3}], "text": ""})"s,
        "{\"text\":\"caf\u00e9 \u2028 \u00ed \ud55c\"}\r"s, R"(  {"text": "x"}  )"s,
        R"({"big": 123456789012345678901234567890, "text": "numbers of any size"})"s,
        R"({"t\u0065xt": "the key is escaped"})"s}) {
    EXPECT_EQ(fast(line), parse_document(line, "in:7")) << line;
  }
  for (const std::string& line :
       {R"({"txt": "x"})"s, R"({"text": 7})"s, R"({"text": "a", "text": "b"})"s, R"(["text"])"s,
        R"("text")"s, R"({"text": "x")"s, R"({"text": "x"} more)"s, R"({"text": "\ud800"})"s,
        R"({"text": "\udc00"})"s, R"({"text": "\ud800\ud800"})"s, "{\"text\": \"na\xefve\"}"s,
        "{\"text\": \"tab\there\"}"s, std::string(100'000, '['), "{"s,
        std::string("{\"text\": \"\0\"}", 13)}) {
    const std::string want = message_of<DataError>([&] { parse_document(line, "in:7"); });
    EXPECT_EQ(message_of<DataError>([&] { fast(line); }), want) << line;
    EXPECT_THAT(want, HasSubstr("in:7: "));
  }
}

}  // namespace
}  // namespace longconv::data
