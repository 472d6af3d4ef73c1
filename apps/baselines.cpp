#include "apps/baselines.h"

#include "core/base/check.h"
#include "core/base/log.h"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <string>

namespace longconv::apps {
namespace {

constexpr int kByteOrder = 8;
constexpr int kTokenOrder = 2;
// Counting takes some 100 bytes of memory per byte of text at order 8.
constexpr std::int64_t kLargestText = 256LL << 20;

using Ids = std::vector<std::int32_t>;

/// A split as one stream of token ids and as the bytes of its text.
struct Stream {
  Ids tokens;
  Ids bytes;
};

Stream read_split(const data::Corpus& corpus, const std::vector<std::filesystem::path>& shards) {
  Stream stream;
  for (const std::filesystem::path& path : shards) {
    const data::TokenShard shard(path, /*verify=*/false);  // open_corpus has verified it
    std::vector<std::int64_t> starts = shard.document_starts();
    starts.push_back(shard.size());
    // One document at a time: a tokenizer decodes whole texts, not pieces of them.
    for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
      std::vector<std::int64_t> wide(static_cast<std::size_t>(starts[i + 1] - starts[i]));
      shard.read(starts[i], wide);
      Ids ids;
      ids.reserve(wide.size());
      for (const std::int64_t id : wide) ids.push_back(static_cast<std::int32_t>(id));
      for (const char c : corpus.tokenizer->decode(ids)) {
        stream.bytes.push_back(static_cast<unsigned char>(c));
      }
      stream.tokens.insert(stream.tokens.end(), ids.begin(), ids.end());
    }
  }
  return stream;
}

void warn_if_lossy(const data::Corpus& corpus, const char* split, std::int64_t wanted,
                   const Ids& bytes) {
  const auto got = static_cast<std::int64_t>(bytes.size());
  if (got != wanted) {
    log::warn(
        "{}: the {} shards decode to {} bytes, the text had {}: the tokenizer loses something, and "
        "byte n-grams see only what it keeps",
        corpus.folder.string(), split, got, wanted);
  }
}

}  // namespace

std::vector<train::NgramResult> corpus_baselines(const data::Corpus& corpus) {
  LONGCONV_CHECK(!corpus.train.empty() && !corpus.validation.empty(), DataError,
                 "{}: n-gram baselines need a train and a validation split",
                 corpus.folder.string());
  LONGCONV_CHECK(corpus.train_bytes <= kLargestText, DataError,
                 "{}: n-grams are counted in memory, and a training split of {} bytes is too large "
                 "for that (limit {}); leave --ngrams out",
                 corpus.folder.string(), corpus.train_bytes, kLargestText);
  const Stream train = read_split(corpus, corpus.train);
  const Stream heldout = read_split(corpus, corpus.validation);
  warn_if_lossy(corpus, "train", corpus.train_bytes, train.bytes);
  warn_if_lossy(corpus, "validation", corpus.validation_bytes, heldout.bytes);

  log::info("fitting byte n-grams of orders 1-{} on {} bytes", kByteOrder, train.bytes.size());
  std::vector<train::NgramResult> results = train::ngram_baselines(
      train.bytes, heldout.bytes, 256, kByteOrder, corpus.validation_bytes, "byte");
  if (corpus.tokenizer->fingerprint() != data::open_tokenizer("bytes")->fingerprint()) {
    log::info("fitting token n-grams of orders 1-{} on {} tokens", kTokenOrder,
              train.tokens.size());
    std::vector<train::NgramResult> tokens =
        train::ngram_baselines(train.tokens, heldout.tokens, corpus.tokenizer->vocab_size(),
                               kTokenOrder, corpus.validation_bytes, "subword");
    results.insert(results.end(), std::make_move_iterator(tokens.begin()),
                   std::make_move_iterator(tokens.end()));
  }
  return results;
}

}  // namespace longconv::apps
