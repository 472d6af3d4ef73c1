// From files as people have them to batches, on data that nobody made for a test: six novels,
// Reuters stories, splice junctions (data.md 8.1).
#include "core/files/cache_folder.h"
#include "data/tasks/dna_labelled.h"
#include "data/tasks/documents_lm.h"
#include "data/tasks/labelled.h"
#include "data/tasks/prepare.h"
#include "data/tasks/samples.h"
#include "data/tokenizers/tokenizer.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace longconv::data {
namespace {

namespace fs = std::filesystem;
using test::slurp;
using ::testing::ElementsAre;
using ::testing::StartsWith;

/// What scripts/data_sets leaves in the cache under `name`; tests skip where it has not run.
class DataSet : public ::testing::Test {
 protected:
  explicit DataSet(const char* name) : source_(files::cache_folder() / "data_sets" / name) {}
  void SetUp() override {
    if (!fs::exists(source_)) GTEST_SKIP() << source_ << " is not there: scripts/data_sets";
  }
  fs::path source_;
  test::ScratchFolder folder_;
};

class Austen : public DataSet {
 protected:
  Austen() : DataSet("austen") {}
};

class Reuters : public DataSet {
 protected:
  Reuters() : DataSet("reuters") {}
};

class SpliceJunctions : public DataSet {
 protected:
  SpliceJunctions() : DataSet("splice") {}
};

std::vector<fs::path> shards_of(const fs::path& corpus, const ManifestSplit& split) {
  std::vector<fs::path> out;
  for (const ManifestShard& shard : split.shards) out.push_back(corpus / shard.file);
  return out;
}

std::vector<std::int64_t> all_of(const Dataset& data) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(data.size()));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

TEST_F(Austen, SixNovelsAreSixDocumentsAndComeBack) {
  PrepareOptions options;
  options.sources = {source_.string()};
  options.out = folder_ / "corpus";
  options.threads = 2;
  const Manifest manifest = prepare_corpus(options).manifest;
  EXPECT_EQ(manifest.train.documents, 6);
  EXPECT_EQ(manifest.train.bytes, 4'025'029);
  EXPECT_EQ(manifest.train.tokens, manifest.train.bytes + 6) << "an end after each";

  const std::vector<std::string> books = {"emma",       "mansfieldpark",  "northangerabbey",
                                          "persuasion", "prideprejudice", "sensesensibility"};
  const TokenShard shard(shards_of(options.out, manifest.train).front());
  const ShardDocuments documents(shard);
  const auto tokenizer = open_tokenizer("bytes");
  for (std::size_t i = 0; i < books.size(); ++i) {
    const auto [first, count] = documents.range(static_cast<std::int64_t>(i));
    std::vector<std::int64_t> ids(static_cast<std::size_t>(count));
    shard.read(first, ids);
    EXPECT_EQ(ids.back(), tokenizer->eos_id());
    const std::vector<std::int32_t> text(ids.begin(), ids.end() - 1);
    EXPECT_TRUE(tokenizer->decode(text) == slurp(source_ / (books[i] + ".txt"))) << books[i];
  }
}

TEST_F(Austen, LinesPackIntoRowsThatPredictEachTokenOnce) {
  PrepareOptions options;
  options.sources = {source_.string()};
  options.lines = true;
  options.out = folder_ / "corpus";
  const Manifest manifest = prepare_corpus(options).manifest;
  EXPECT_EQ(manifest.train.documents + manifest.empty_documents, 73'422) << "lines";

  const auto shards = shards_of(options.out, manifest.train);
  const DocumentRows alone(shards, 512, /*packed=*/false);
  const DocumentRows packed(shards, 512, /*packed=*/true);
  const auto predicted = [](const DocumentRows& rows) {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < rows.size(); ++i) sum += rows.targets(i);
    return sum;
  };
  // Every token but the first of its document; a line has two tokens at least, since its end
  // counts.
  const std::int64_t wanted = manifest.train.tokens - manifest.train.documents;
  EXPECT_EQ(predicted(alone), wanted);
  EXPECT_EQ(predicted(packed), wanted);
  EXPECT_EQ(alone.size(), manifest.train.documents) << "no line is longer than a row";
  EXPECT_LT(packed.size(), wanted / 500) << "98 of 100 places of packed rows are used";
}

/// How often each label is in a part of the shard.
std::map<std::int64_t, int> labels_of(const fs::path& shard, const char* part) {
  SampleConfig config;
  config.path.set(shard.string());
  config.split.part.set(part);
  config.split.validation_share.set(0.0);
  const SampleDataset data(config);
  const Batch batch = data.get(all_of(data));
  std::map<std::int64_t, int> out;
  const auto* labels = batch.target.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < data.size(); ++i) ++out[labels[i]];
  return out;
}

TEST_F(Reuters, StoriesBecomeTheTextTask) {
  const auto counts = [&](const char* topic) {
    EXPECT_EQ(prepare_imdb(ImdbConfig(), source_ / topic, folder_ / topic, 1).samples, 2158);
    const auto train = labels_of(folder_ / topic, "train");
    const auto test = labels_of(folder_ / topic, "test");
    return std::vector{train.at(0), train.at(1), test.at(0), test.at(1)};
  };
  EXPECT_THAT(counts("corn"), ElementsAre(1554 - 45, 45, 604 - 24, 24));
  EXPECT_THAT(counts("grain"), ElementsAre(1554 - 103, 103, 604 - 57, 57));

  SampleConfig config;
  config.path.set((folder_ / "corn").string());
  config.split.validation_share.set(0.0);
  const SampleDataset data(config);
  const Batch batch = data.get(std::vector<std::int64_t>{0});
  const auto* ids = batch.input.const_data_ptr<std::int64_t>();
  std::string text;
  for (std::int64_t i = 0; i < batch.input.size(1); ++i) {
    text += data.facts().symbols.at(static_cast<std::size_t>(ids[i]));
  }
  EXPECT_THAT(text, StartsWith("BAHIA COCOA REVIEW Showers continued throughout the week in the "
                               "Bahia cocoa zone, alleviating the drought since early January"));
}

TEST_F(SpliceJunctions, HaveTheirSignalsWhereBiologyPutsThem) {
  const fs::path shard = folder_ / "splice.lcs";
  EXPECT_EQ(prepare_dna_fasta(DnaFastaConfig(), source_, shard, 1).samples, 3186);
  // ei, ie, n, sorted by name.
  const auto train = labels_of(shard, "train");
  const auto test = labels_of(shard, "test");
  EXPECT_THAT(train, ElementsAre(std::pair(0, 596), std::pair(1, 605), std::pair(2, 1348)));
  EXPECT_THAT(test, ElementsAre(std::pair(0, 171), std::pair(1, 160), std::pair(2, 306)));

  SampleConfig config;
  config.path.set(shard.string());
  config.split.validation_share.set(0.0);
  const SampleDataset data(config);
  const Batch batch = data.get(all_of(data));
  ASSERT_EQ(batch.input.size(1), 60);
  const auto dna = open_tokenizer("dna");
  const auto* ids = batch.input.const_data_ptr<std::int64_t>();
  const auto* labels = batch.target.const_data_ptr<std::int64_t>();
  // An intron begins with GT and ends with AG; both borders lie in the middle of the 60 bases.
  std::map<std::int64_t, int> donors;
  std::map<std::int64_t, int> acceptors;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const std::string bases = dna->decode({ids + 60 * i, ids + 60 * (i + 1)});
    donors[labels[i]] += bases.substr(30, 2) == "GT" ? 1 : 0;
    acceptors[labels[i]] += bases.substr(28, 2) == "AG" ? 1 : 0;
  }
  EXPECT_GT(donors[0], 0.97 * 596);
  EXPECT_GT(acceptors[1], 0.97 * 605);
  EXPECT_LT(donors[2], 0.2 * 1348);
  EXPECT_LT(acceptors[2], 0.2 * 1348);
}

}  // namespace
}  // namespace longconv::data
