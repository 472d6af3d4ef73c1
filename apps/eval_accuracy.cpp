// longconv eval MODEL accuracy: a classifier on the test part, beside a logistic regression if
// asked for.
#include "apps/commands.h"
#include "apps/open_model.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/hash.h"
#include "core/runtime/device.h"
#include "data/tasks/task_data.h"
#include "train/evaluation/classification.h"
#include "train/evaluation/kmers.h"
#include "train/evaluation/logistic.h"
#include "train/loop/feed.h"
#include "train/report/results.h"

#include <fmt/format.h>

#include <filesystem>

namespace longconv::apps {
namespace {

void print_text(const train::AccuracyResult& result) {
  fmt::print("checkpoint     {} (sha256 {})\n", result.checkpoint,
             result.checkpoint_sha256.substr(0, 12));
  fmt::print("data           {}: {}, {} samples\n", result.data, result.split, result.samples);
  fmt::print("loss           {:.4f} nats per sample\n", result.loss);
  fmt::print("accuracy       {:.2f} %\n", 100.0 * result.accuracy);
  for (const train::LabelBaseline& baseline : result.baselines) {
    fmt::print("               {:.2f} % {}\n", 100.0 * baseline.accuracy, baseline.name);
  }
}

/// Logistic regressions: of DNA on the words of a few lengths, else on the pixels.
std::vector<train::LabelBaseline> baselines(const data::TaskData& data, const data::Dataset& part,
                                            std::int64_t classes) {
  std::vector<train::LabelBaseline> out;
  if (!data.shape.bases) {
    const train::LogisticResult fitted = train::logistic_regression(*data.train, part, classes);
    out.push_back(
        {fmt::format("logistic regression on {} pixels", fitted.features), fitted.accuracy});
    return out;
  }
  for (const std::int64_t k : {2, 4, 6}) {
    const auto shares = [k](const data::Batch& batch) {
      return train::kmer_shares(batch.input, k);
    };
    const train::LogisticResult fitted =
        train::logistic_regression(*data.train, part, classes, shares);
    out.push_back(
        {fmt::format("logistic regression on {} {}-mers", fitted.features, k), fitted.accuracy});
  }
  return out;
}

}  // namespace

ExitCode eval_accuracy(const EvalOptions& options) {
  const ModelPlace place = find_model(options.model);
  const auto config = load_config(place, options.overrides);
  LONGCONV_CHECK(config->model.head.kind() == "classifier", UsageError,
                 "{}: accuracy is for classifiers, this model has a head \"{}\"",
                 place.folder.string(), config->model.head.kind());
  LONGCONV_CHECK(!options.ngrams && options.overlap == 0, UsageError,
                 "--ngrams and --overlap are for perplexity");
  const c10::Device device = runtime::choose_device(config->run.device());
  const data::TaskData data =
      data::open_task_data(config->data, /*only_evaluation=*/!options.logistic);
  const auto& part = data.test ? data.test : data.validation;
  LONGCONV_CHECK(part != nullptr, DataError, "{}: has neither a test nor a validation part",
                 data.corpus.folder.string());
  const auto model = load_model(place, *config, device);

  train::PassOptions how;
  how.batch = train::cut_of_batch(*config).micro_batch;
  how.precision = config->train.precision();
  how.device = device;
  log::info("evaluating {} on {} ({})", place.folder.string(), data.corpus.folder.string(),
            device.str());
  const train::ClassificationResult measured = train::classify(*model, *part, how);

  train::AccuracyResult result;
  result.model = options.model;
  result.checkpoint = place.folder.string();
  result.checkpoint_sha256 = files::hex(files::sha256_file(place.weights));
  result.step = step_of(place);
  result.data = data.corpus.folder.string();
  result.data_fingerprint = data.corpus.fingerprint;
  result.split = data.test ? "test" : "validation";
  result.samples = static_cast<std::int64_t>(measured.labels.size());
  result.accuracy = measured.accuracy();
  result.loss = measured.loss();
  result.precision = how.precision;
  result.config = config::print(*config);
  if (options.logistic) result.baselines = baselines(data, *part, config->model.head.n_classes());
  if (!place.run.empty()) {
    const std::filesystem::path file = place.run / "results" / "accuracy.json";
    train::write_result(file, result);
    log::info("result kept in {}", file.string());
  }
  if (options.json) {
    fmt::print("{}", train::to_json(result));
  } else {
    print_text(result);
  }
  return ExitCode::ok;
}

}  // namespace longconv::apps
