#include "train/objectives/objective.h"

#include "train/evaluation/classification.h"
#include "train/evaluation/perplexity.h"
#include "train/evaluation/series_error.h"
#include "train/objectives/absolute_error.h"
#include "train/objectives/cross_entropy.h"

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

Measured measure_classes(models::Model& model, const data::Dataset& split,
                         const data::Corpus& /*corpus*/, std::int64_t /*seq_len*/,
                         const PassOptions& options) {
  const ClassificationResult result = classify(model, split, options);
  const auto samples = static_cast<double>(result.labels.size());
  return {result.loss(),
          {{"loss", result.loss()}, {"accuracy", result.accuracy()}, {"samples", samples}},
          fmt::format("accuracy {:.2f} % of {} samples", 100 * result.accuracy(),
                      result.labels.size())};
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

constexpr Objective kObjectives[] = {
    {"lm", &cross_entropy, &measure_tokens},
    {"mlm", &cross_entropy, &measure_tokens},
    {"classifier", &cross_entropy, &measure_classes},
    {"regressor", &absolute_error, &measure_series},
};

}  // namespace

const Objective& objective(std::string_view head) {
  for (const Objective& row : kObjectives) {
    if (row.head == head) return row;
  }
  throw std::logic_error(fmt::format("no objective for a head \"{}\"", head));
}

}  // namespace longconv::train
