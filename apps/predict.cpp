// longconv predict: a model's outputs for every row of a file.
#include "train/evaluation/predict.h"

#include "apps/commands.h"
#include "apps/open_model.h"
#include "apps/print_facts.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/runtime/device.h"
#include "data/tokenizers/tokenizer.h"
#include "models/cost/cost.h"
#include "models/heads/language_model.h"
#include "train/loop/signals.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <numeric>

namespace longconv::apps {
namespace {

using nlohmann::ordered_json;

// A pass keeps the cores of either device busy well below these.
constexpr std::int64_t kCpuPassBytes = std::int64_t{256} << 20;
constexpr std::int64_t kGpuPassBytes = std::int64_t{4} << 30;

/// What `options.dtype` computes in: sums over a row are float32 even where products are bf16.
Dtype result_dtype(const PredictOptions& options) {
  if (options.dtype == "float64") return Dtype::f64;
  const bool a_sum = options.what == "embedding" || options.what == "loss";
  return options.dtype == "bf16" && !a_sum ? Dtype::bf16 : Dtype::f32;
}

bool is_language_model(const models::ModelConfig& model) {
  return model.head.kind() == "lm" || model.head.kind() == "mlm";
}

/// Whether the head gives one row of numbers for a whole row.
bool pools(const models::ModelConfig& model) {
  return model.head.kind() == "classifier" ||
         (model.head.kind() == "regressor" && model.family() == "m2_bert");
}

/// Whether the model gives what is asked for, and takes ids.
void check_head(const PredictOptions& options, const models::ModelConfig& model) {
  LONGCONV_CHECK(model.d_input() == 0, UsageError,
                 "{}: the model takes series of {} numbers a step, and predict ids", options.model,
                 model.d_input());
  LONGCONV_CHECK(options.what != "loss" || model.head.kind() == "lm", UsageError,
                 "--what loss is that of the next token; {} has a head \"{}\"", options.model,
                 model.head.kind());
  const std::string& pool = model.head.pool();
  LONGCONV_CHECK(options.what != "logits" || model.head.kind() != "classifier" ||
                     (pool != "ragged" && pool != "retrieval"),
                 UsageError,
                 "--what logits: expected a classifier of whole rows, {} has pool \"{}\"",
                 options.model, pool);
}

std::int64_t width_of(const models::ModelConfig& model, const std::string& what) {
  if (what == "loss") return 0;
  if (what != "logits") return model.d_model();
  return is_language_model(model)
             ? models::padded_vocab(model.vocab_size(), model.pad_vocab_multiple())
             : model.head.n_classes();
}

train::PredictOptions how_to(const PredictOptions& options, const models::ModelConfig& model,
                             Dtype dtype, c10::Device device) {
  train::PredictOptions out;
  out.what = options.what;
  out.precision = options.dtype;
  out.dtype = dtype;
  out.device = device;
  out.width = width_of(model, options.what);
  out.per_position = options.what == "hidden" || (options.what == "logits" && !pools(model));
  out.rows_alike = data::holds_ids(options.input) || !is_language_model(model);
  out.bytes_per_token =
      models::forward_bytes_per_token(model, options.dtype == "float64" ? 8 : 4,
                                      /*with_logits=*/is_language_model(model) &&
                                          (options.what == "logits" || options.what == "loss"));
  out.pass_bytes = device.is_cuda() ? kGpuPassBytes : kCpuPassBytes;
  return out;
}

}  // namespace

ExitCode predict(const PredictOptions& options) {
  const Dtype dtype = train::dtype_in(options.output, result_dtype(options));
  const ModelPlace place = find_model(options.model);
  const auto config = load_config(place, options.overrides);
  config->train.precision.set(options.dtype);
  fill_shapes(*config);
  const models::ModelConfig& model_config = config->model;
  check_head(options, model_config);
  const c10::Device device = runtime::choose_device(options.device);
  const auto tokenizer = data::holds_ids(options.input) ? std::shared_ptr<const data::Tokenizer>()
                                                        : load_tokenizer(place, *config);
  const auto rows = [&] { return data::open_token_rows(options.input, options.mask, tokenizer); };

  const train::StopSignals signals;
  const std::vector<std::int64_t> lengths = train::check_rows(
      *rows(), {.vocab_size = model_config.vocab_size(), .longest = model_config.longest_input()},
      options.what);
  const std::int64_t tokens = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
  train::PredictOptions how = how_to(options, model_config, dtype, device);
  how.stop = [&] { return signals.received() != 0; };
  const auto file =
      train::open_prediction_file(options.output, {.what = options.what,
                                                   .dtype = dtype,
                                                   .lengths = lengths,
                                                   .width = how.width,
                                                   .per_position = how.per_position,
                                                   .one_length = data::holds_ids(options.input)});
  const auto model = load_model(place, *config, device);
  if (tokenizer != nullptr && !tokenizer->remarks().empty()) {
    log::warn("{}: {}", options.input, tokenizer->remarks());
  }
  log::info("{} of {} rows, {} tokens, by {} on {}", options.what, lengths.size(), tokens,
            place.folder.string(), device.str());

  const auto begin = std::chrono::steady_clock::now();
  train::predict(*model, *rows(), lengths, how, *file);
  file->commit();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const ordered_json result{{"model", place.folder.string()},
                            {"input", options.input},
                            {"output", options.output},
                            {"what", options.what},
                            {"dtype", name(dtype)},
                            {"rows", lengths.size()},
                            {"tokens", tokens},
                            {"width", how.width},
                            {"tokens_per_s", static_cast<double>(tokens) / took.count()}};
  print_result(result.dump(2, ' ', false, ordered_json::error_handler_t::replace), options.json);
  return ExitCode::ok;
}

}  // namespace longconv::apps
