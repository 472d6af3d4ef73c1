#include "data/tasks/glue.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kIndexColumn = 1;
constexpr int kScoreColumn = 2;

fs::path path_of(const GlueConfig& config) {
  if (config.path().empty()) {
    config.path.fail("no shard given; expected a file that `longconv data prepare glue` wrote");
  }
  return config.path();
}

/// The task and the special tokens that a shard was made with.
std::pair<const GlueTask*, BertSpecials> read_made(const SampleFacts& facts,
                                                   const std::string& path) {
  try {
    const json made = json::parse(facts.made_json);
    return {&glue_task(made.at("glue").get<std::string>()),
            {made.at("pad").get<std::int32_t>(), made.at("unk").get<std::int32_t>(),
             made.at("cls").get<std::int32_t>(), made.at("sep").get<std::int32_t>(),
             made.at("mask").get<std::int32_t>()}};
  } catch (const json::exception& error) {
    throw DataError(fmt::format("{}: not a GLUE shard: {}", path, error.what()));
  }
}

}  // namespace

GlueDataset::GlueDataset(const GlueConfig& config)
    : shard_(path_of(config)), seq_len_(config.seq_len()) {
  const SampleView& shard = shard_.view();
  const SampleFacts facts = read_facts(shard);
  std::tie(task_, specials_) = read_made(facts, shard.path());
  LONGCONV_CHECK(shard.layout().parts == (task_->second.empty() ? 1 : 2) &&
                     shard.layout().columns == (task_->labels.empty() ? 3 : 2),
                 DataError, "{}: {} texts and {} columns a sample are not those of {}",
                 shard.path(), shard.layout().parts, shard.layout().columns, task_->folder);
  const auto found =
      std::find_if(facts.splits.begin(), facts.splits.end(),
                   [&](const SampleSplit& split) { return split.name == config.part(); });
  if (found == facts.splits.end()) config.part.fail("the shard has no such part");
  begin_ = found->begin;
  end_ = found->end;
}

std::int64_t GlueDataset::shard_sample(std::int64_t index) const {
  LONGCONV_CHECK(index >= 0 && index < size(), DataError, "sample {} asked for, there are {}",
                 index, size());
  return begin_ + index;
}

std::int64_t GlueDataset::submission_index(std::int64_t sample) const {
  return shard_.view().column(shard_sample(sample), kIndexColumn);
}

Batch GlueDataset::get(std::span<const std::int64_t> indices) const {
  const SampleView& shard = shard_.view();
  const auto batch = static_cast<std::int64_t>(indices.size());
  const bool scores = task_->labels.empty();
  Batch out;
  out.input = at::full({batch, seq_len_}, specials_.pad, at::kLong);
  out.types = at::zeros({batch, seq_len_}, at::kLong);
  out.lengths = at::empty({batch}, at::kLong);
  out.target = at::empty({batch}, scores ? at::kFloat : at::kLong);
  auto* input = out.input.mutable_data_ptr<std::int64_t>();
  auto* types = out.types.mutable_data_ptr<std::int64_t>();
  auto* lengths = out.lengths.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < batch; ++i, input += seq_len_, types += seq_len_) {
    const std::int64_t sample = shard_sample(indices[static_cast<std::size_t>(i)]);
    std::array<std::vector<std::int32_t>, 2> texts;
    std::vector<std::int64_t> values;
    for (int part = 0; part < shard.layout().parts; ++part) {
      values.resize(static_cast<std::size_t>(shard.length(sample, part)));
      shard.read(sample, part, values);
      texts[static_cast<std::size_t>(part)].assign(values.begin(), values.end());
    }
    const BertPair pair = bert_pair(texts[0], texts[1], static_cast<std::size_t>(seq_len_),
                                    specials_, shard.layout().parts == 2);
    std::copy(pair.ids.begin(), pair.ids.end(), input);
    std::copy(pair.types.begin(), pair.types.end(), types);
    lengths[i] = static_cast<std::int64_t>(pair.ids.size());
    if (scores) {
      out.target.mutable_data_ptr<float>()[i] =
          static_cast<float>(shard.column(sample, kScoreColumn)) / 1000.0F;
    } else {
      out.target.mutable_data_ptr<std::int64_t>()[i] = shard.label(sample);
    }
  }
  return out;
}

std::shared_ptr<const GlueDataset> open_glue_part(const std::string& path, const std::string& part,
                                                  std::int64_t seq_len) {
  const std::vector<SampleSplit> splits =
      read_facts(SampleShard(path, /*verify=*/false).view()).splits;
  const bool there = std::any_of(splits.begin(), splits.end(),
                                 [&](const SampleSplit& split) { return split.name == part; });
  if (!there) return nullptr;
  GlueConfig config;
  config.path.set(path);
  config.part.set(part);
  config.seq_len.set(seq_len);
  return std::make_shared<GlueDataset>(config);
}

fs::path write_glue_submission(const fs::path& folder, const GlueDataset& data,
                               std::string_view part, std::span<const double> predictions) {
  const GlueTask& task = data.task();
  const auto found = std::find_if(task.parts.begin(), task.parts.end(),
                                  [&](const GluePart& each) { return each.part == part; });
  LONGCONV_CHECK(found != task.parts.end() && !found->submission.empty(), DataError,
                 "{}: the part {} is not for submissions", task.folder, part);
  LONGCONV_CHECK(static_cast<std::int64_t>(predictions.size()) == data.size(), DataError,
                 "{} {}: {} predictions for {} samples", task.folder, part, predictions.size(),
                 data.size());
  std::string text = "index\tprediction\n";
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    const double value = predictions[i];
    const std::int64_t index = data.submission_index(static_cast<std::int64_t>(i));
    if (task.labels.empty()) {
      LONGCONV_CHECK(std::isfinite(value), DataError, "{} {}: prediction {} of sample {}",
                     task.folder, part, value, i);
      text += fmt::format("{}\t{:.3f}\n", index, std::clamp(value, 0.0, 5.0));
      continue;
    }
    const auto classes = static_cast<double>(task.labels.size());
    LONGCONV_CHECK(value >= 0 && value < classes && value == std::floor(value), DataError,
                   "{} {}: prediction {} of sample {}, expected a label from 0 to {}", task.folder,
                   part, value, i, task.labels.size() - 1);
    text += fmt::format("{}\t{}\n", index, task.labels[static_cast<std::size_t>(value)]);
  }
  const fs::path path = folder / found->submission;
  files::create_folders(folder);
  files::write_atomic(path, text);
  return path;
}

}  // namespace longconv::data
