// A fine-tuned model on the parts of its GLUE task: what `eval MODEL glue` and `finetune` share.
#pragma once

#include "apps/model_place.h"
#include "train/report/results.h"

#include <filesystem>
#include <string>
#include <vector>

namespace longconv::apps {

struct GlueScored {
  train::GlueResult result;
  std::vector<std::filesystem::path> submissions;  ///< files written
};

/// Measures the model on every part with labels, in the configuration's precision. With a folder
/// for `submission`, also predicts the parts without and writes what GLUE's server takes. `name` is
/// the model as the user gave it. Throws UsageError if the model was not trained for GLUE,
/// ConfigError, DataError if nothing can be measured or written.
GlueScored score_glue(const ModelPlace& place, const train::RunConfig& config,
                      const std::string& name, const std::filesystem::path& submission);

/// Writes results/glue.json of the model's run, if it has one.
void keep_glue(const ModelPlace& place, const train::GlueResult& result);

}  // namespace longconv::apps
