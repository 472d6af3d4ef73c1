// longconv eval MODEL perplexity: the whole validation split, beside n-grams if asked for.
#include "apps/baselines.h"
#include "apps/commands.h"
#include "apps/open_model.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/hash.h"
#include "core/runtime/device.h"
#include "data/tasks/language_data.h"
#include "train/evaluation/perplexity.h"
#include "train/report/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace longconv::apps {
namespace {

/// Tokens mean something only to the tokenizer a model was trained with.
void require_same_tokenizer(const ModelPlace& place, const train::RunConfig& config,
                            const data::Corpus& corpus) {
  const auto own = load_tokenizer(place, config);
  LONGCONV_CHECK(
      own->fingerprint() == corpus.tokenizer->fingerprint(), DataError,
      "{}: its shards were made with {} ({}), but the model {} was trained with {} ({}); "
      "prepare the text again with --tokenizer and the model's tokenizer folder",
      corpus.folder.string(), corpus.tokenizer->describe(),
      files::hex(corpus.tokenizer->fingerprint()).substr(0, 12), place.folder.string(),
      own->describe(), files::hex(own->fingerprint()).substr(0, 12));
}

train::PerplexityOptions perplexity_options(const EvalOptions& options,
                                            const train::RunConfig& config, c10::Device device) {
  train::PerplexityOptions out;
  out.seq_len = config.data.seq_len();
  if (config.model.longest_input() < out.seq_len) {
    config.data.seq_len.fail(fmt::format("expected at most the model's l_max = {}, got {}",
                                         config.model.l_max(), out.seq_len));
  }
  LONGCONV_CHECK(options.overlap < out.seq_len, UsageError,
                 "--overlap {}: expected less than the window, data.seq_len = {}", options.overlap,
                 out.seq_len);
  out.overlap = options.overlap;
  const std::int64_t micro = config.data.micro_batch();
  out.batch = micro > 0 ? micro : config.data.batch_size() / config.train.accumulate();
  out.batch = std::max<std::int64_t>(out.batch, 1);
  out.max_batches = 0;  // the whole split, whatever train.eval_batches spares during training
  out.precision = config.train.precision();
  out.device = device;
  return out;
}

void print_text(const train::EvaluationResult& result, const data::Corpus& corpus) {
  fmt::print("checkpoint     {} (sha256 {})\n", result.checkpoint,
             result.checkpoint_sha256.substr(0, 12));
  fmt::print("data           {}: {}, {} of {} tokens, {} bytes, {}\n", result.data, result.split,
             result.tokens, corpus.validation_tokens, result.bytes, corpus.tokenizer->describe());
  fmt::print("windows        {} tokens, {} of them shared with the one before\n", result.seq_len,
             result.overlap);
  fmt::print("loss           {:.4f} nats per token\n", result.loss);
  fmt::print("perplexity     {:.3f}\n", result.perplexity);
  fmt::print("bits per byte  {:.4f}\n", result.bits_per_byte);
  const train::NgramResult* best = train::best_ngram(result.ngrams);
  if (best == nullptr) return;
  fmt::print("\n{:<38}bits per byte\n", "n-grams (interpolated Witten-Bell)");
  for (const train::NgramResult& ngram : result.ngrams) {
    fmt::print("{:<38}{:.3f}\n", fmt::format("  {} {}-gram", ngram.unit, ngram.order),
               ngram.bits_per_byte);
  }
  fmt::print("\nheld-out bits per byte: {:.3f} (best n-gram {:.3f})\n", result.bits_per_byte,
             best->bits_per_byte);
}

}  // namespace

ExitCode eval(const EvalOptions& options) {
  if (options.task == "accuracy") return eval_accuracy(options);
  if (options.task == "glue") return eval_glue(options);
  const ModelPlace place = find_model(options.model);
  const auto config = load_config(place, options.overrides);
  const std::string& kind = config->model.head.kind();
  LONGCONV_CHECK(kind == "lm" || kind == "mlm", UsageError,
                 "{}: perplexity is for language models, this one has a head \"{}\"{}",
                 place.folder.string(), kind, kind == "classifier" ? "; ask for accuracy" : "");
  LONGCONV_CHECK(
      config->data.task() != "prompts", UsageError,
      "{}: perplexity is that of texts, this model was trained on the labels of prompts; "
      "its evaluations are in {}",
      place.folder.string(), (place.run / "metrics.jsonl").string());
  const c10::Device device = runtime::choose_device(config->run.device());
  const train::PerplexityOptions how = perplexity_options(options, *config, device);
  const data::LanguageData held_out =
      data::open_language_data(config->data, /*only_validation=*/true);
  const data::Corpus& corpus = held_out.corpus;
  LONGCONV_CHECK(held_out.validation != nullptr, DataError,
                 "{}: has no validation split to evaluate on; prepare it with --holdout or "
                 "--validation",
                 corpus.folder.string());
  require_same_tokenizer(place, *config, corpus);
  const auto model = load_model(place, *config, device);

  log::info("evaluating {} on {} ({})", place.folder.string(), corpus.folder.string(),
            device.str());
  const train::PerplexityResult measured = train::perplexity(*model, *held_out.validation, how);

  train::EvaluationResult result;
  result.task = options.task;
  result.model = options.model;
  result.checkpoint = place.folder.string();
  result.checkpoint_sha256 = files::hex(files::sha256_file(place.weights));
  result.step = step_of(place);
  result.data = corpus.folder.string();
  result.data_fingerprint = corpus.fingerprint;
  result.loss = measured.loss();
  result.perplexity = measured.perplexity();
  result.bits_per_byte = measured.bits_per_byte(corpus.validation_tokens, corpus.validation_bytes);
  result.tokens = measured.tokens;
  result.bytes = corpus.validation_bytes;
  result.seq_len = how.seq_len;
  result.overlap = how.overlap;
  result.precision = how.precision;
  result.config = config::print(*config);
  LONGCONV_CHECK(!options.ngrams || !corpus.train.empty(), UsageError,
                 "--ngrams: expected a corpus of token shards, data.task is \"{}\"",
                 config->data.task());
  if (options.ngrams) result.ngrams = corpus_baselines(corpus);

  if (!place.run.empty()) {
    const std::filesystem::path file = place.run / "results" / (options.task + ".json");
    train::write_result(file, result);
    log::info("result kept in {}", file.string());
  }
  if (options.json) {
    fmt::print("{}", train::to_json(result));
  } else {
    print_text(result, corpus);
  }
  return ExitCode::ok;
}

}  // namespace longconv::apps
