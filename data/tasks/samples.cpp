#include "data/tasks/samples.h"

#include "core/base/check.h"
#include "data/tasks/dna_shard.h"
#include "data/tasks/image_batch.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <algorithm>
#include <utility>

namespace longconv::data {

namespace {

std::filesystem::path path_of(const SampleConfig& config) {
  if (config.path().empty()) {
    config.path.fail("no shard given; expected a file that `longconv data generate` wrote");
  }
  return config.path();
}

}  // namespace

SampleDataset::SampleDataset(const SampleConfig& config)
    : SampleDataset(config, std::make_shared<SampleShard>(path_of(config))) {}

SampleDataset::SampleDataset(const SampleConfig& config,
                             const std::shared_ptr<const SampleShard>& shard)
    : SampleDataset(config, shard,
                    split_indices(config.split, shard->view().layout().samples,
                                  read_facts(shard->view()).splits),
                    config.seq_len(), config.split.part() == "train") {}

SampleDataset::SampleDataset(const SampleKeys& config, std::shared_ptr<const SampleShard> shard,
                             std::vector<std::int64_t> members, std::int64_t seq_len, bool training)
    : shard_(std::move(shard)),
      facts_(read_facts(shard_->view())),
      members_(std::move(members)),
      pad_to_seq_len_(config.pad() == "seq_len"),
      pad_left_(config.pad_side() == "usual" ? facts_.pad_left : config.pad_side() == "left"),
      reverse_complement_(config.reverse_complement() && training) {
  if (config.reverse_complement() && facts_.symbols != dna_symbols()) {
    config.reverse_complement.fail("this shard holds no DNA");
  }
  const SampleLayout& layout = shard_->view().layout();
  if (layout.height > 0) {
    transform_.emplace(config.pixels,
                       PixelTransform::Shape{layout.height, layout.width, layout.channels,
                                             facts_.mean, facts_.deviation});
    seq_len_ = transform_->length();
    return;
  }
  seq_len_ = seq_len;
  if (seq_len_ > 0) return;
  for (const std::int64_t sample : members_) {
    for (int part = 0; part < layout.parts; ++part) {
      seq_len_ = std::max(seq_len_, shard_->view().length(sample, part));
    }
  }
}

std::int64_t SampleDataset::size() const { return static_cast<std::int64_t>(members_.size()); }
std::int64_t SampleDataset::seq_len() const { return seq_len_; }

Batch SampleDataset::get(std::span<const std::int64_t> indices) const {
  return batch_of(indices, nullptr);
}

Batch SampleDataset::draw(std::span<const std::int64_t> indices,
                          std::span<const std::uint64_t> keys) const {
  return batch_of(indices, reverse_complement_ ? keys.data() : nullptr);
}

Batch SampleDataset::batch_of(std::span<const std::int64_t> indices,
                              const std::uint64_t* keys) const {
  const SampleView& shard = shard_->view();
  if (transform_) {
    return image_batch(*transform_, indices, members_,
                       [&](std::int64_t sample, std::vector<std::int64_t>& levels) {
                         levels.resize(static_cast<std::size_t>(shard.length(sample, 0)));
                         shard.read(sample, 0, levels);
                         return std::int64_t{shard.label(sample)};
                       });
  }
  const auto batch = static_cast<std::int64_t>(indices.size());
  const std::int64_t rows = batch * shard.layout().parts;
  Batch out;
  out.target = at::empty({batch}, at::kLong);
  out.lengths = at::empty({rows}, at::kLong);
  out.pad_left = pad_left_;
  auto* lengths = out.lengths.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < batch; ++i) {
    const std::int64_t index = indices[static_cast<std::size_t>(i)];
    LONGCONV_CHECK(index >= 0 && index < size(), DataError, "sample {} asked for, there are {}",
                   index, size());
    const std::int64_t sample = members_[static_cast<std::size_t>(index)];
    out.target.mutable_data_ptr<std::int64_t>()[i] = shard.label(sample);
    for (int part = 0; part < shard.layout().parts; ++part) {
      lengths[part * batch + i] = std::min(shard.length(sample, part), seq_len_);
    }
  }
  const std::int64_t width =
      pad_to_seq_len_ || rows == 0 ? seq_len_ : *std::max_element(lengths, lengths + rows);
  out.input = at::full({rows, width}, facts_.pad, at::kLong);
  auto* input = out.input.mutable_data_ptr<std::int64_t>();
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t index = indices[static_cast<std::size_t>(row % batch)];
    const std::int64_t padding = pad_left_ ? width - lengths[row] : 0;
    const std::span<std::int64_t> values(input + row * width + padding,
                                         static_cast<std::size_t>(lengths[row]));
    const std::int64_t sample = members_[static_cast<std::size_t>(index)];
    const auto part = static_cast<int>(row / batch);
    if (keys != nullptr && (keys[row % batch] & 1) != 0) {
      // Turned round first and cut then, so that the other end is seen.
      std::vector<std::int64_t> whole(static_cast<std::size_t>(shard.length(sample, part)));
      shard.read(sample, part, whole);
      reverse_complement_ids(whole);
      std::copy_n(whole.begin(), values.size(), values.begin());
    } else {
      shard.read(sample, part, values);
    }
  }
  return out;
}

}  // namespace longconv::data
