#include "data/tasks/mlm.h"

#include "core/base/check.h"
#include "data/tasks/corpus_manifest.h"
#include "data/tasks/lm.h"
#include "data/tasks/masking.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <algorithm>

namespace longconv::data {

MlmDataset::MlmDataset(const MlmConfig& config)
    : seq_len_(config.seq_len()),
      share_(config.part() == "train" ? config.train_share() : config.evaluation_share()),
      frozen_(config.part() != "train") {
  if (config.path().empty()) {
    config.path.fail("no corpus given; expected a folder that `longconv data prepare` wrote");
  }
  DataConfig where;
  where.path.set(config.path());
  const Corpus corpus = open_corpus(where);
  LONGCONV_CHECK(!read_manifest(corpus.folder).eos, DataError,
                 "{}: its documents end with an EOS id; prepare it with --no-eos",
                 corpus.folder.string());
  specials_ = bert_specials(*corpus.tokenizer);
  vocab_size_ = corpus.tokenizer->vocab_size();
  for (const auto& path : config.part() == "train" ? corpus.train : corpus.validation) {
    TokenShard shard(path, /*verify=*/false);
    ShardDocuments documents(shard);
    starts_.push_back(starts_.back() + documents.size());
    parts_.push_back({std::move(shard), std::move(documents)});
  }
}

std::int64_t MlmDataset::read(std::int64_t index, std::span<std::int64_t> out) const {
  LONGCONV_CHECK(index >= 0 && index < size(), DataError, "document {} asked for, there are {}",
                 index, size());
  const auto at = static_cast<std::size_t>(std::upper_bound(starts_.begin(), starts_.end(), index) -
                                           starts_.begin() - 1);
  const Part& part = parts_[at];
  const ShardDocuments::Range range = part.documents.range(index - starts_[at]);
  const auto count = static_cast<std::size_t>(std::min(range.count, seq_len_ - 2));
  out[0] = specials_.cls;
  part.shard.read(range.first, out.subspan(1, count));
  out[count + 1] = specials_.sep;
  return static_cast<std::int64_t>(count) + 2;
}

Batch MlmDataset::masked(std::span<const std::int64_t> indices,
                         std::span<const std::uint64_t> keys) const {
  const auto batch = static_cast<std::int64_t>(indices.size());
  Batch out{at::full({batch, seq_len_}, specials_.pad, at::kLong),
            at::empty({batch, seq_len_}, at::kLong), at::empty({batch}, at::kLong)};
  auto* input = out.input.mutable_data_ptr<std::int64_t>();
  auto* target = out.target.mutable_data_ptr<std::int64_t>();
  auto* lengths = out.lengths.mutable_data_ptr<std::int64_t>();
  const auto length = static_cast<std::size_t>(seq_len_);
  for (std::size_t i = 0; i < indices.size(); ++i, input += length, target += length) {
    lengths[i] = read(indices[i], {input, length});
    mask_tokens({input, length}, {target, length}, share_, keys[i], specials_, vocab_size_);
  }
  return out;
}

Batch MlmDataset::get(std::span<const std::int64_t> indices) const {
  return masked(indices, std::vector<std::uint64_t>(indices.begin(), indices.end()));
}

Batch MlmDataset::draw(std::span<const std::int64_t> indices,
                       std::span<const std::uint64_t> keys) const {
  return frozen_ ? get(indices) : masked(indices, keys);
}

}  // namespace longconv::data
