// Rows to predict from: matrices of ids with and without a mask, FASTA in its packings, documents.
#include "data/tasks/token_rows.h"

#include "core/files/npy.h"
#include "data/tokenizers/bytes.h"
#include "data/tokenizers/dna.h"
#include "tests/data/bgzip_writer.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

namespace longconv::data {
namespace {

using test::put;
using test::ScratchFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <class T>
std::filesystem::path put_npy(const std::filesystem::path& path, Dtype dtype,
                              const std::vector<std::int64_t>& shape,
                              const std::vector<T>& values) {
  files::write_npy(path, {"", dtype, shape, std::as_bytes(std::span(values))});
  return path;
}

std::vector<TokenRow> all_rows(const std::filesystem::path& path,
                               const std::filesystem::path& mask = {},
                               const std::shared_ptr<const Tokenizer>& tokenizer = nullptr) {
  std::vector<TokenRow> out;
  const auto rows = open_token_rows(path, mask, tokenizer);
  for (TokenRow row; rows->next(row);) out.push_back(row);
  return out;
}

std::string refused(const std::filesystem::path& path, const std::filesystem::path& mask = {}) {
  return test::message_of<Error>([&] { all_rows(path, mask); });
}

TEST(TokenRows, MatricesOfBothDtypesWithAMask) {
  const ScratchFolder folder;
  const auto narrow =
      put_npy<std::int32_t>(folder / "a.npy", Dtype::i32, {2, 3}, {1, 2, 3, 4, 5, -6});
  const auto wide = put_npy<std::int64_t>(folder / "b.npy", Dtype::i64, {2, 3},
                                          {1, 2, 3, 4, 5, std::int64_t{1} << 40});
  const auto mask =
      put_npy<std::uint8_t>(folder / "m.npy", Dtype::boolean, {2, 3}, {1, 1, 0, 0, 1, 1});
  const auto rows = all_rows(narrow, mask);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_THAT(rows[0].ids, ElementsAre(1, 2, 3));
  EXPECT_THAT(rows[1].ids, ElementsAre(4, 5, -6)) << "as it stands; the model says what it takes";
  EXPECT_THAT(rows[0].mask, ElementsAre(1, 1, 0));
  EXPECT_TRUE(rows[1].counts(1));
  EXPECT_FALSE(rows[1].counts(0));
  EXPECT_EQ(rows[1].where, narrow.string() + ": row 1");
  const auto plain = all_rows(wide);
  EXPECT_THAT(plain[1].ids, ElementsAre(4, 5, std::int64_t{1} << 40)) << "not cut to 32 bits";
  EXPECT_THAT(plain[1].mask, IsEmpty());
  EXPECT_TRUE(plain[1].counts(2));
}

TEST(TokenRows, MatricesThatAreNoneAreRefused) {
  const ScratchFolder folder;
  const auto ids = put_npy<std::int32_t>(folder / "a.npy", Dtype::i32, {2, 2}, {1, 2, 3, 4});
  const auto floats = put_npy<float>(folder / "f.npy", Dtype::f32, {2, 2}, {1, 1, 1, 1});
  const auto flat = put_npy<std::int32_t>(folder / "v.npy", Dtype::i32, {4}, {1, 2, 3, 4});
  const auto wide = put_npy<std::int64_t>(folder / "w.npy", Dtype::i64, {2, 2}, {1, 0, 1, 2});
  EXPECT_THAT(refused(floats),
              HasSubstr("f.npy: expected token ids in int32 or int64, got float32"));
  EXPECT_THAT(refused(flat), HasSubstr("v.npy: expected (rows, tokens), got the shape [4]"));
  EXPECT_THAT(refused(ids, floats), HasSubstr("f.npy: expected a mask of booleans or integers"));
  EXPECT_THAT(refused(ids, flat), HasSubstr("[2, 2], got [4]"));
  EXPECT_THAT(refused(ids, wide), HasSubstr("w.npy: row 1, column 1: expected 0 or 1, got 2"));
  EXPECT_THAT(refused(folder / "none.npy"), HasSubstr("none.npy: cannot open"));
  EXPECT_THAT(refused(put(folder / "a.csv", "1,2")), HasSubstr("expected a name ending in .npy"));
  EXPECT_THAT(refused(put(folder / "a.2bit", "x")), HasSubstr("expected a name ending in .npy"));
  const auto text = put(folder / "a.txt", "x");
  EXPECT_THAT(test::message_of<UsageError>([&] { all_rows(text, ids); }),
              HasSubstr("a mask goes with ids in .npy"));
}

TEST(TokenRows, FastaHoweverItIsPacked) {
  const ScratchFolder folder;
  const std::string text = ">one first\nACGT\nnA\n>two\r\nTT\r\n";
  const auto dna = std::make_shared<DnaTokenizer>();
  for (const auto& path :
       {put(folder / "plain.fa", text), put(folder / "blocks.fa.gz", test::bgzip(text, 5)),
        put(folder / "no_ending.fna", test::bgzip(text, 100))}) {
    const auto rows = all_rows(path, {}, dna);
    ASSERT_EQ(rows.size(), 2U) << path;
    EXPECT_THAT(rows[0].ids, ElementsAre(7, 8, 9, 10, 11, 7));
    EXPECT_THAT(rows[1].ids, ElementsAre(10, 10));
    EXPECT_EQ(rows[0].name, "one");
    EXPECT_EQ(rows[1].where, path.string() + ":4");
  }
}

TEST(TokenRows, DocumentsAreRowsAndTextIsOne) {
  const ScratchFolder folder;
  const auto bytes = std::make_shared<ByteTokenizer>();
  const auto lines =
      all_rows(put(folder / "a.jsonl", "{\"text\": \"ab\"}\n\n{\"text\": \"c\"}\n"), {}, bytes);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0].ids, ElementsAre('a', 'b'));
  EXPECT_EQ(lines[1].where, (folder / "a.jsonl").string() + ":3");
  const auto text = all_rows(put(folder / "a.txt", "ab\ncd\n"), {}, bytes);
  ASSERT_EQ(text.size(), 1U);
  EXPECT_EQ(text[0].ids.size(), 6U);
}

}  // namespace
}  // namespace longconv::data
