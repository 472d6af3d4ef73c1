#include "apps/glue_scores.h"

#include "apps/open_model.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/hash.h"
#include "core/runtime/device.h"
#include "data/tasks/glue.h"
#include "train/evaluation/classification.h"
#include "train/evaluation/glue_score.h"
#include "train/evaluation/scores.h"
#include "train/evaluation/split_batches.h"
#include "train/loop/feed.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/argmax.h>
#include <fmt/format.h>

namespace longconv::apps {
namespace {

namespace fs = std::filesystem;

bool has_labels(const std::string& part) { return !part.starts_with("test"); }

train::GluePartScores measure(models::Model& model, const data::GlueDataset& data,
                              const std::string& part, const train::PassOptions& how) {
  train::GluePartScores out;
  out.part = part;
  out.samples = data.size();
  std::vector<double> labels;
  std::vector<double> predictions;
  if (data.task().labels.empty()) {
    const train::ScoreResult result = train::predict_scores(model, data, how);
    out.loss = result.mean_squared();
    labels = result.targets;
    predictions = result.predictions;
  } else {
    const train::ClassificationResult result = train::classify(model, data, how);
    out.loss = result.loss();
    labels.assign(result.labels.begin(), result.labels.end());
    predictions.assign(result.predictions.begin(), result.predictions.end());
  }
  for (const auto& [name, value] : train::glue_scores(data.task().name, labels, predictions)) {
    out.scores.emplace_back(name, value);
  }
  return out;
}

/// Labels, or scores, of samples that come without.
std::vector<double> predict(models::Model& model, const data::GlueDataset& data,
                            const train::PassOptions& how) {
  std::vector<double> out;
  train::for_each_batch(model, data, how, [&](const at::Tensor& logits, const data::Batch&) {
    const at::Tensor wide = logits.to(at::kDouble).cpu();
    const at::Tensor each =
        (data.task().labels.empty() ? wide.squeeze(1) : wide.argmax(1).to(at::kDouble))
            .contiguous();
    out.insert(out.end(), each.const_data_ptr<double>(),
               each.const_data_ptr<double>() + each.numel());
  });
  return out;
}

}  // namespace

GlueScored score_glue(const ModelPlace& place, const train::RunConfig& config,
                      const std::string& name, const fs::path& submission) {
  LONGCONV_CHECK(
      config.data.task() == "glue", UsageError,
      "{}: glue is for models fine-tuned on a GLUE task, this one has data.task = \"{}\"",
      place.folder.string(), config.data.task());
  const std::string& path = config.data.path();
  if (path.empty()) config.data.path.fail("expected a shard of `longconv data prepare glue`");
  train::PassOptions how;
  how.batch = train::cut_of_batch(config).micro_batch;
  how.precision = config.train.precision();
  how.device = runtime::choose_device(config.run.device());
  const auto model = load_model(place, config, how.device);

  GlueScored out;
  train::GlueResult& result = out.result;
  result.model = name;
  result.checkpoint = place.folder.string();
  result.checkpoint_sha256 = files::hex(files::sha256_file(place.weights));
  result.step = step_of(place);
  result.data = path;
  result.data_fingerprint = files::hex(files::sha256_file(path));
  result.precision = how.precision;
  result.config = config::print(config);
  for (const char* part : {"validation", "validation_mismatched", "test", "test_mismatched"}) {
    if (!has_labels(part) && submission.empty()) continue;
    const auto data = data::open_glue_part(path, part, config.data.seq_len());
    if (data == nullptr) continue;
    const data::GlueTask& task = data->task();
    result.glue_task = task.name;
    const std::int64_t outputs =
        std::max<std::int64_t>(1, static_cast<std::int64_t>(task.labels.size()));
    LONGCONV_CHECK(config.model.head.n_classes() == outputs, DataError,
                   "{}: {} has {} classes, the model {} has {}", path, task.folder, outputs,
                   place.folder.string(), config.model.head.n_classes());
    if (has_labels(part)) {
      result.parts.push_back(measure(*model, *data, part, how));
      continue;
    }
    out.submissions.push_back(
        data::write_glue_submission(submission, *data, part, predict(*model, *data, how)));
    log::info("predictions of {} samples in {}", data->size(), out.submissions.back().string());
  }
  LONGCONV_CHECK(submission.empty() || !out.submissions.empty(), DataError,
                 "{}: has no test part to predict", path);
  LONGCONV_CHECK(!result.parts.empty() || !out.submissions.empty(), DataError,
                 "{}: has no part with labels to measure the model on", path);
  if (!result.parts.empty()) {
    result.split = result.parts.front().part;
    result.loss = result.parts.front().loss;
  }
  return out;
}

void keep_glue(const ModelPlace& place, const train::GlueResult& result) {
  if (place.run.empty() || result.parts.empty()) return;
  const fs::path file = place.run / "results" / "glue.json";
  train::write_result(file, result);
  log::info("result kept in {}", file.string());
}

}  // namespace longconv::apps
