// longconv eval MODEL glue: a fine-tuned model by its GLUE task's own metrics.
#include "apps/commands.h"
#include "apps/glue_scores.h"
#include "core/base/check.h"

#include <fmt/format.h>

namespace longconv::apps {
namespace {

void print_text(const train::GlueResult& result) {
  fmt::print("checkpoint     {} (sha256 {})\n", result.checkpoint,
             result.checkpoint_sha256.substr(0, 12));
  fmt::print("data           {}: {}\n", result.data, result.glue_task);
  for (const train::GluePartScores& part : result.parts) {
    fmt::print("{:<23}{} samples, loss {:.4f}\n", part.part, part.samples, part.loss);
    for (const auto& [name, value] : part.scores) fmt::print("  {:<21}{:.4f}\n", name, value);
  }
}

}  // namespace

ExitCode eval_glue(const EvalOptions& options) {
  LONGCONV_CHECK(!options.ngrams && options.overlap == 0 && !options.logistic, UsageError,
                 "--ngrams and --overlap are for perplexity, --logistic is for accuracy");
  const ModelPlace place = find_model(options.model);
  const auto config = load_config(place, options.overrides);
  const GlueScored scored = score_glue(place, *config, options.model, options.submission);
  keep_glue(place, scored.result);
  if (options.json) {
    fmt::print("{}", train::to_json(scored.result));
  } else {
    print_text(scored.result);
    for (const auto& file : scored.submissions) fmt::print("submission     {}\n", file.string());
  }
  return ExitCode::ok;
}

}  // namespace longconv::apps
