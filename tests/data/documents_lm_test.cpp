// Rows of documents: padded or packed, nothing lost, nothing twice, nothing across documents.
#include "data/tasks/documents_lm.h"

#include "data/loader/best_fit.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

namespace longconv::data {
namespace {

using test::message_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(BestFit, PutsEveryItemIntoOneRowThatHoldsIt) {
  EXPECT_THAT(best_fit_rows(std::vector<std::int64_t>{3, 5, 8, 2, 4, 2}, 8),
              ElementsAre(ElementsAre(2), ElementsAre(1, 0), ElementsAre(4, 3, 5)));
  EXPECT_TRUE(best_fit_rows({}, 8).empty());
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    const std::int64_t capacity = 1 + random() % 300;
    std::vector<std::int64_t> lengths(2000);
    for (std::int64_t& length : lengths) {
      length = 1 + static_cast<std::int64_t>(random()) % capacity;
    }
    const auto rows = best_fit_rows(lengths, capacity);
    std::vector<int> seen(lengths.size());
    for (const auto& row : rows) {
      std::int64_t sum = 0;
      for (const std::int64_t item : row) {
        sum += lengths[static_cast<std::size_t>(item)];
        ++seen[static_cast<std::size_t>(item)];
      }
      EXPECT_LE(sum, capacity);
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), 2000);
    // Best fit decreasing needs at most 11/9 of the fewest rows, and 6/9 more (Dosa 2007 for first
    // fit); the fewest are at least the sum over the capacity.
    const std::int64_t total = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
    EXPECT_LE(
        static_cast<double>(rows.size()),
        11.0 / 9.0 * std::ceil(static_cast<double>(total) / static_cast<double>(capacity)) + 1.0);
  }
  EXPECT_THAT(message_of<DataError>([] {
                best_fit_rows(std::vector<std::int64_t>{3, 9}, 8);
              }),
              HasSubstr("item 1 has 9 tokens, expected 1 to 8"));
  EXPECT_THAT(message_of<DataError>([] { best_fit_rows(std::vector<std::int64_t>{0}, 8); }),
              HasSubstr("item 0 has 0 tokens"));
}

/// Documents of the given lengths in two shards; token k of all is the number k.
std::vector<std::filesystem::path> write_documents(const test::ScratchFolder& folder,
                                                   const std::vector<std::int32_t>& lengths) {
  const std::vector<std::filesystem::path> paths{folder / "0.lct", folder / "1.lct"};
  std::int32_t next = 0;
  for (std::size_t shard = 0; shard < 2; ++shard) {
    TokenShardWriter writer(paths[shard], 100'000, -1, files::Digest{});
    const std::size_t half = lengths.size() / 2;
    for (std::size_t i = shard * half; i < (shard == 0 ? half : lengths.size()); ++i) {
      std::vector<std::int32_t> ids(static_cast<std::size_t>(lengths[i]));
      std::iota(ids.begin(), ids.end(), next);
      next += lengths[i];
      writer.add_document(ids);
    }
    writer.finish();
  }
  return paths;
}

struct Cell {
  std::int64_t input, target, segment;
};

/// The rows of an item up to `width`; segment is 1 for all where there are none.
std::vector<Cell> cells(const Batch& batch, std::int64_t row) {
  std::vector<Cell> out;
  const std::int64_t width = batch.input.size(1);
  for (std::int64_t t = 0; t < width; ++t) {
    const std::int64_t at = row * width + t;
    out.push_back(
        {batch.input.const_data_ptr<std::int64_t>()[at],
         batch.target.const_data_ptr<std::int64_t>()[at],
         batch.segments.defined() ? batch.segments.const_data_ptr<std::int64_t>()[at] : 1});
  }
  return out;
}

class Rows : public ::testing::TestWithParam<bool> {};

TEST_P(Rows, PredictEveryTokenOfADocumentButItsFirstOnceAnEpoch) {
  const bool packed = GetParam();
  const test::ScratchFolder folder;
  std::mt19937 random(2);
  std::vector<std::int32_t> lengths{1, 2, 16, 17, 18, 33, 34, 1, 0, 100};
  for (int i = 0; i < 200; ++i) lengths.push_back(1 + static_cast<std::int32_t>(random() % 40));
  std::vector<bool> begins(1, true);  // tokens that no input predicts
  begins.pop_back();
  for (const std::int32_t length : lengths) {
    for (std::int32_t i = 0; i < length; ++i) begins.push_back(i == 0);
  }
  const auto data =
      std::make_shared<DocumentRows>(write_documents(folder, lengths), /*seq_len=*/16, packed);
  EXPECT_EQ(data->seq_len(), 16);

  for (const std::int64_t ranks : {1, 2, 4}) {
    std::map<std::int64_t, int> predicted;
    std::map<std::int64_t, int> rows_seen;
    const std::int64_t n = data->size();
    std::vector<std::unique_ptr<Loader>> loaders;
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      LoaderOptions options{.seed = 9, .workers = 1};
      options.rank = rank;
      options.ranks = ranks;
      options.bucket_steps = packed ? 0 : 4;
      loaders.push_back(std::make_unique<Loader>(std::vector<Stage>{{data, 2, 8, 0}}, options));
    }
    std::int64_t left = n;
    std::int64_t inputs = 0;
    while (left > 0) {
      for (const auto& loader : loaders) {
        for (std::int64_t pass = loader->passes(); pass > 0; --pass) {
          const Batch batch = loader->next();
          for (std::int64_t row = 0; row < 2 && left > 0; ++row, --left) {
            std::int64_t used = 0;
            std::int64_t segment = 0;
            std::int64_t before = -1;
            for (const Cell& cell : cells(batch, row)) {
              if (cell.target == -100) {
                EXPECT_EQ(cell.input, 0);
                EXPECT_EQ(cell.segment, packed ? 0 : 1);
                continue;
              }
              ASSERT_EQ(cell.target, cell.input + 1) << "across documents";
              ASSERT_FALSE(begins[static_cast<std::size_t>(cell.target)]);
              if (cell.segment == segment) {
                ASSERT_EQ(cell.input, before + 1);
              } else {
                ASSERT_EQ(cell.segment, segment + 1);
              }
              segment = cell.segment;
              before = cell.input;
              ++predicted[cell.target];
              ++used;
            }
            inputs += batch.input.size(1);
            if (packed) {
              EXPECT_EQ(batch.input.size(1), 16);
            } else {
              EXPECT_EQ(batch.lengths.const_data_ptr<std::int64_t>()[row], used);
            }
          }
        }
      }
    }
    std::int64_t expected = 0;
    for (std::size_t token = 0; token < begins.size(); ++token) {
      if (begins[token]) continue;
      ++expected;
      EXPECT_EQ(predicted[static_cast<std::int64_t>(token)], 1) << token << ", ranks " << ranks;
    }
    EXPECT_GT(expected, 3000);
    // Packed, next to nothing is padding.
    if (packed) {
      EXPECT_LT(inputs, expected * 102 / 100);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(PaddedAndPacked, Rows, ::testing::Bool());

TEST(DocumentRows, KnowTheirLengthsWithoutReading) {
  const test::ScratchFolder folder;
  const auto shards = write_documents(folder, {5, 40, 1, 3});
  const DocumentRows rows(shards, 16, /*packed=*/false);
  ASSERT_EQ(rows.size(), 5);  // 4; 16, 16, 7; none; 2
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < rows.size(); ++i) lengths.push_back(rows.length(i));
  EXPECT_THAT(lengths, ElementsAre(4, 16, 16, 7, 2));
  const Batch batch = rows.get(std::vector<std::int64_t>{3, 0});
  EXPECT_EQ(batch.input.size(1), 7);
  EXPECT_EQ(batch.input.const_data_ptr<std::int64_t>()[0], 5 + 32);
  EXPECT_EQ(batch.target.const_data_ptr<std::int64_t>()[6], 5 + 39);
  EXPECT_EQ(DocumentRows(shards, 16, /*packed=*/true).size(), 3);  // 45 inputs
  EXPECT_THAT(message_of<DataError>([&] { (void)rows.length(5); }),
              HasSubstr("row 5 asked for, there are 5"));
}

TEST(DocumentRows, NameAnIndexThatBelongsToAnotherShard) {
  const test::ScratchFolder folder;
  const auto shards = write_documents(folder, {5, 40, 1, 3});
  std::filesystem::remove(index_path(shards[1]));
  EXPECT_THAT(message_of<DataError>([&] { const DocumentRows rows(shards, 16, true); }),
              HasSubstr("1.idx"));
}

}  // namespace
}  // namespace longconv::data
