#include "train/objectives/objective.h"

#include "data/tasks/glue.h"
#include "train/evaluation/classification.h"
#include "train/evaluation/glue_score.h"
#include "train/evaluation/label_metrics.h"
#include "train/evaluation/last_tokens.h"
#include "train/evaluation/masked_tokens.h"
#include "train/evaluation/perplexity.h"
#include "train/evaluation/scores.h"
#include "train/evaluation/series_error.h"
#include "train/objectives/absolute_error.h"
#include "train/objectives/cross_entropy.h"
#include "train/objectives/squared_error.h"

#include <fmt/format.h>

#include <stdexcept>

namespace longconv::train {
namespace {

Measured measure_tokens(models::Model& model, const data::Dataset& split,
                        const data::Corpus& corpus, std::int64_t seq_len,
                        const PassOptions& options) {
  PerplexityOptions how;
  static_cast<PassOptions&>(how) = options;
  how.seq_len = seq_len;
  const PerplexityResult result = perplexity(model, split, how);
  const double bits = result.bits_per_byte(corpus.validation_tokens, corpus.validation_bytes);
  return {result.loss(),
          {{"loss", result.loss()},
           {"perplexity", result.perplexity()},
           {"bits_per_byte", bits},
           {"tokens", static_cast<double>(result.tokens)}},
          fmt::format("perplexity {:.2f}, {:.4f} bits per byte", result.perplexity(), bits)};
}

Measured measure_masked(models::Model& model, const data::Dataset& split,
                        const data::Corpus& /*corpus*/, std::int64_t /*seq_len*/,
                        const PassOptions& options) {
  const MaskedTokens result = measure_masked_tokens(model, split, options);
  return {
      result.loss(),
      {{"loss", result.loss()},
       {"accuracy", result.accuracy()},
       {"tokens", static_cast<double>(result.tokens)}},
      fmt::format("{:.2f} % of {} masked tokens right", 100.0 * result.accuracy(), result.tokens)};
}

Measured measure_classes(models::Model& model, const data::Dataset& split,
                         const data::Corpus& /*corpus*/, std::int64_t /*seq_len*/,
                         const PassOptions& options) {
  const ClassificationResult result = classify(model, split, options);
  const auto samples = static_cast<double>(result.labels.size());
  Measured out{result.loss(),
               {{"loss", result.loss()}, {"accuracy", result.accuracy()}, {"samples", samples}},
               fmt::format("accuracy {:.2f} % of {} samples", 100 * result.accuracy(),
                           result.labels.size())};
  if (const auto* glue = dynamic_cast<const data::GlueDataset*>(&split)) {
    const std::vector<double> labels(result.labels.begin(), result.labels.end());
    const std::vector<double> predictions(result.predictions.begin(), result.predictions.end());
    for (const auto& [name, value] : glue_scores(glue->task().name, labels, predictions)) {
      if (name == "accuracy") continue;
      out.values.emplace_back(name, value);
      out.words += fmt::format(", {} {:.4f}", name, value);
    }
  }
  return out;
}

Measured measure_series(models::Model& model, const data::Dataset& split,
                        const data::Corpus& /*corpus*/, std::int64_t /*seq_len*/,
                        const PassOptions& options) {
  const SeriesError error = series_error(model, split, options);
  return {error.mean_absolute(),
          {{"loss", error.mean_absolute()},
           {"r_squared", error.r_squared()},
           {"targets", static_cast<double>(error.targets)}},
          fmt::format("R^2 {:.4f}", error.r_squared())};
}

/// Rows are padded on their left: the last step of each is the sequence's.
at::Tensor last_token_loss(const at::Tensor& logits, const at::Tensor& target) {
  return cross_entropy(logits.select(1, logits.size(1) - 1), target);
}

Measured measure_last_tokens(models::Model& model, const data::Dataset& split,
                             const data::Corpus& /*corpus*/, std::int64_t /*seq_len*/,
                             const PassOptions& options) {
  const ClassificationResult result = predict_last_tokens(model, split, options);
  return {result.loss(),
          {{"loss", result.loss()},
           {"accuracy", result.accuracy()},
           {"samples", static_cast<double>(result.labels.size())}},
          fmt::format("label of {:.2f} % of {} prompts", 100 * result.accuracy(),
                      result.labels.size())};
}

Measured measure_scores(models::Model& model, const data::Dataset& split,
                        const data::Corpus& /*corpus*/, std::int64_t /*seq_len*/,
                        const PassOptions& options) {
  const ScoreResult result = predict_scores(model, split, options);
  const double by_value = pearson(result.targets, result.predictions);
  const double by_rank = spearman(result.targets, result.predictions);
  return {result.mean_squared(),
          {{"loss", result.mean_squared()},
           {"pearson", by_value},
           {"spearman", by_rank},
           {"samples", static_cast<double>(result.targets.size())}},
          fmt::format("Pearson {:.4f}, Spearman {:.4f}", by_value, by_rank)};
}

constexpr Objective kObjectives[] = {
    {"lm", false, &cross_entropy, &measure_tokens},
    {"lm", true, &last_token_loss, &measure_last_tokens},
    {"mlm", false, &cross_entropy, &measure_masked},
    {"classifier", false, &cross_entropy, &measure_classes},
    {"regressor", false, &absolute_error, &measure_series},
    {"regressor", true, &squared_error, &measure_scores},
};

}  // namespace

const Objective& objective(std::string_view head, bool of_samples) {
  for (const Objective& row : kObjectives) {
    if (row.head == head && row.of_samples == of_samples) return row;
  }
  throw std::logic_error(fmt::format("no objective for a head \"{}\"", head));
}

}  // namespace longconv::train
