#include "data/formats/foreign_tokens.h"

#include "data/formats/token_shard.h"
#include "data/tasks/convert.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

namespace longconv::data {
namespace {

using test::le;
using test::message_of;
using test::put;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string u16(const std::vector<int>& ids) {
  std::string out;
  for (const int id : ids) out += le(static_cast<std::uint16_t>(id));
  return out;
}

std::string llm_c(std::int32_t magic, std::int32_t version, std::int32_t count,
                  const std::string& body) {
  std::string out = le(magic) + le(version) + le(count);
  out.resize(1024);
  return out + body;
}

TEST(ForeignTokens, AreReadInBothLayouts) {
  const test::ScratchFolder folder;
  const std::string body = u16({72, 105, 256, 33});
  for (const std::string& content : {body, llm_c(20240520, 1, 4, body)}) {
    const ForeignTokens file(put(folder / "train.bin", content));
    EXPECT_EQ(file.size(), 4);
    std::vector<std::int32_t> ids(3);
    file.read(1, ids, 257);
    EXPECT_THAT(ids, ElementsAre(105, 256, 33));
  }
}

TEST(ForeignTokens, BecomeAShardWithDocumentsCutAtEos) {
  const test::ScratchFolder folder;
  put(folder / "part_0.bin", llm_c(20240520, 1, 3, u16({72, 256, 73})));
  put(folder / "part_1.bin", llm_c(20240520, 1, 2, u16({74, 256})));
  put(folder / "part_2.bin", u16({75}));
  const Converted done =
      convert_data((folder / "part_*.bin").string(), folder / "all.lct", "bytes");
  EXPECT_EQ(done.documents, 3);
  const TokenShard shard(folder / "all.lct");
  EXPECT_THAT(shard.document_starts(), ElementsAre(0, 2, 5));
  std::vector<std::int64_t> ids(6);
  shard.read(0, ids);
  EXPECT_THAT(ids, ElementsAre(72, 256, 73, 74, 256, 75));
}

TEST(ForeignTokens, AreRefusedWhenTheyLie) {
  const auto message = [](const std::string& content) {
    return message_of<DataError>(
        [&] { parse_foreign_header(test::bytes_of(content), "x/train.bin"); });
  };
  EXPECT_THAT(message(llm_c(20240520, 1, 5, u16({1, 2}))), HasSubstr("5 tokens at byte 8"));
  EXPECT_THAT(message(llm_c(20240520, 1, -1, u16({1, 2}))), HasSubstr("-1 tokens"));
  EXPECT_THAT(message(llm_c(20240520, 7, 2, u16({1, 2}))), HasSubstr("llm.c version 7"));
  EXPECT_THAT(message(llm_c(20240522, 1, 2, u16({1, 2}))), HasSubstr("evaluation file"));
  EXPECT_THAT(message(llm_c(20240520, 1, 2, "").substr(0, 900)), HasSubstr("truncated"));
  EXPECT_THAT(message("abc"), HasSubstr("3 bytes, expected an even number"));
  EXPECT_THAT(message(""), HasSubstr("0 bytes"));
}

TEST(ForeignTokens, NeedTheirTokenizerAndMustFitIt) {
  const test::ScratchFolder folder;
  const auto source = put(folder / "train.bin", u16({1, 300, 2})).string();
  EXPECT_THAT(message_of<UsageError>([&] { convert_data(source, folder / "a.lct", ""); }),
              HasSubstr("name it with --tokenizer"));
  EXPECT_THAT(message_of<DataError>([&] { convert_data(source, folder / "a.lct", "bytes"); }),
              HasSubstr("train.bin: token 300 at byte 2, but the tokenizer has 257 ids"));
  EXPECT_FALSE(std::filesystem::exists(folder / "a.lct"));
  EXPECT_THAT(message_of<UsageError>([&] { convert_data(source, folder / "a.csv", ""); }),
              HasSubstr("cannot turn"));
  EXPECT_THAT(message_of<DataError>(
                  [&] { convert_data((folder / "no_*.bin").string(), folder / "a.lct", "bytes"); }),
              HasSubstr("no file has such a name"));
}

}  // namespace
}  // namespace longconv::data
