#include "data/tasks/dna_prompts.h"

#include "core/base/check.h"
#include "data/tasks/counter_random.h"
#include "data/tasks/dna_shard.h"
#include "data/tokenizers/dna.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <algorithm>

namespace longconv::data {

DnaPrompts::DnaPrompts(const DnaPromptConfig& config)
    : shard_(config.path()),
      facts_(read_facts(shard_.view())),
      shots_(config.shots()),
      max_length_(config.max_length()) {
  const auto classes = shard_.view().layout().classes;
  if (facts_.symbols != dna_symbols() || classes < 2 || classes > 3) {
    config.path.fail(fmt::format("expected labelled DNA of 2 or 3 classes, \"{}\" has {}",
                                 facts_.task, classes));
  }
  shown_.resize(static_cast<std::size_t>(classes));
  for (const SampleSplit& split : facts_.splits) {
    for (std::int64_t sample = split.begin; sample < split.end; ++sample) {
      const std::int32_t label = shard_.view().label(sample);
      LONGCONV_CHECK(label >= 0, DataError, "{}: sample {} has no label", config.path(), sample);
      if (split.name == "train") shown_[static_cast<std::size_t>(label)].push_back(sample);
      if (split.name == config.part()) members_.push_back(sample);
    }
  }
  if (members_.empty()) config.part.fail("this data set has no such part");
  for (std::size_t label = 0; label < shown_.size(); ++label) {
    if (static_cast<std::int64_t>(shown_[label].size()) <= shots_) {
      config.shots.fail(fmt::format("the train part has {} of class {}, expected more than {}",
                                    shown_[label].size(), facts_.classes[label], shots_));
    }
  }
}

std::int64_t DnaPrompts::size() const { return static_cast<std::int64_t>(members_.size()); }

std::int64_t DnaPrompts::seq_len() const {
  return shots_ * static_cast<std::int64_t>(shown_.size()) * (max_length_ + 3) + max_length_ + 1;
}

std::int64_t DnaPrompts::label_id(std::int64_t sample) const {
  constexpr std::int64_t kA = DnaTokenizer::kA;
  const std::int64_t ids[] = {kA, shown_.size() == 2 ? DnaTokenizer::kN : kA + 2, DnaTokenizer::kN};
  return ids[shard_.view().label(sample)];
}

void DnaPrompts::append(std::int64_t sample, std::vector<std::int64_t>& to) const {
  const auto length =
      static_cast<std::size_t>(std::min(shard_.view().length(sample, 0), max_length_));
  to.resize(to.size() + length);
  shard_.view().read(sample, 0, std::span(to).last(length));
  to.push_back(DnaTokenizer::kEos);
}

std::vector<std::int64_t> DnaPrompts::prompt(std::int64_t sample, std::uint64_t key) const {
  CounterRandom random(key, 0);
  std::vector<std::int64_t> shots;
  for (const std::vector<std::int64_t>& all : shown_) {
    // Different ones, and never the query itself.
    const std::size_t before = shots.size();
    while (static_cast<std::int64_t>(shots.size() - before) < shots_) {
      const std::int64_t shot = all[random.below(static_cast<std::uint32_t>(all.size()))];
      const bool fresh =
          shot != sample && std::find(shots.begin(), shots.end(), shot) == shots.end();
      if (fresh) shots.push_back(shot);
    }
  }
  for (std::size_t i = shots.size(); i > 1; --i) {
    std::swap(shots[i - 1], shots[random.below(static_cast<std::uint32_t>(i))]);
  }
  std::vector<std::int64_t> ids;
  for (const std::int64_t shot : shots) {
    append(shot, ids);
    ids.push_back(label_id(shot));
    ids.push_back(DnaTokenizer::kEos);
  }
  append(sample, ids);
  return ids;
}

Batch DnaPrompts::get(std::span<const std::int64_t> indices) const {
  std::vector<std::uint64_t> keys;
  keys.reserve(indices.size());
  for (const std::int64_t index : indices) keys.push_back(draw_key(0, 0, index));
  return draw(indices, keys);
}

Batch DnaPrompts::draw(std::span<const std::int64_t> indices,
                       std::span<const std::uint64_t> keys) const {
  const auto batch = static_cast<std::int64_t>(indices.size());
  std::vector<std::vector<std::int64_t>> rows;
  Batch out;
  out.target = at::empty({batch}, at::kLong);
  out.lengths = at::empty({batch}, at::kLong);
  std::size_t width = 0;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    LONGCONV_CHECK(indices[i] >= 0 && indices[i] < size(), DataError,
                   "prompt {} asked for, there are {}", indices[i], size());
    const std::int64_t sample = members_[static_cast<std::size_t>(indices[i])];
    rows.push_back(prompt(sample, keys[i]));
    width = std::max(width, rows.back().size());
    out.target.mutable_data_ptr<std::int64_t>()[i] = label_id(sample);
    out.lengths.mutable_data_ptr<std::int64_t>()[i] = static_cast<std::int64_t>(rows.back().size());
  }
  out.pad_left = true;
  const auto columns = static_cast<std::int64_t>(width);
  out.input = at::full({batch, columns}, std::int64_t{DnaTokenizer::kPad}, at::kLong);
  auto* end = out.input.mutable_data_ptr<std::int64_t>();
  for (const auto& row : rows) {
    end += columns;
    std::copy_backward(row.begin(), row.end(), end);
  }
  return out;
}

}  // namespace longconv::data
