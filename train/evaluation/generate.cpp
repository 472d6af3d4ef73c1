#define AT_PER_OPERATOR_HEADERS
#include "train/evaluation/generate.h"

#include "core/base/check.h"
#include "train/evaluation/eval_mode.h"
#include "train/evaluation/sampling.h"
#include "train/evaluation/utf8_stream.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <random>
#include <span>
#include <vector>

namespace longconv::train {
namespace {

/// Logits of the token after `ids`, padded columns cut off.
std::vector<double> next_logits(models::LanguageModel& model, const std::vector<std::int32_t>& ids,
                                c10::Device device) {
  const auto length = std::min<std::int64_t>(static_cast<std::int64_t>(ids.size()), model.l_max());
  at::Tensor input = at::empty({1, length}, at::kLong);
  std::copy(ids.end() - length, ids.end(), input.mutable_data_ptr<std::int64_t>());
  const at::Tensor row = model.logits(input.to(device))
                             .select(0, 0)
                             .select(0, length - 1)
                             .slice(0, 0, model.vocab_size())
                             .to(at::TensorOptions(at::kCPU).dtype(at::kDouble))
                             .contiguous();
  const auto* first = row.const_data_ptr<double>();
  return {first, first + row.numel()};
}

// Bytes of new tokens. A tokenizer may treat the first piece of a text specially (SentencePiece
// drops its leading space), so new tokens are decoded behind known ones; only few, to keep a step
// O(1).
class Detokenizer {
 public:
  Detokenizer(const data::Tokenizer& tokenizer, std::vector<std::int32_t> context)
      : tokenizer_(tokenizer), window_(std::move(context)) {
    trim();
  }
  std::string add(std::int32_t id) {
    const std::size_t before = tokenizer_.decode(window_).size();
    window_.push_back(id);
    const std::string text = tokenizer_.decode(window_);
    trim();
    return text.substr(std::min(before, text.size()));
  }

 private:
  static constexpr std::size_t kContext = 16;  // tokens
  void trim() {
    if (window_.size() > kContext) window_.erase(window_.begin(), window_.end() - kContext);
  }
  const data::Tokenizer& tokenizer_;
  std::vector<std::int32_t> window_;
};

}  // namespace

std::string generate(models::LanguageModel& model, const data::Tokenizer& tokenizer,
                     const std::string& prompt, const SampleOptions& options,
                     const std::function<void(std::string_view)>& stream) {
  const SamplingRule rule{options.temperature, options.top_k, options.top_p};
  check_sampling(rule);
  LONGCONV_CHECK(options.max_tokens >= 0, UsageError, "generate: tokens must be >= 0, got {}",
                 options.max_tokens);
  LONGCONV_CHECK(tokenizer.vocab_size() == model.vocab_size(), CheckpointError,
                 "generate: the model has {} ids, but the tokenizer ({}) has {}; use the tokenizer "
                 "the model was trained with",
                 model.vocab_size(), tokenizer.describe(), tokenizer.vocab_size());
  std::vector<std::int32_t> ids = tokenizer.encode(prompt);
  Detokenizer detokenizer(tokenizer, ids);
  if (ids.empty()) {
    LONGCONV_CHECK(tokenizer.eos_id() >= 0, UsageError,
                   "generate: the prompt is empty and the tokenizer ({}) has no end-of-text id to "
                   "start after; give a prompt",
                   tokenizer.describe());
    ids.push_back(static_cast<std::int32_t>(tokenizer.eos_id()));
  }
  const EvalMode eval_mode(model);
  std::mt19937_64 generator(options.seed);
  Utf8Stream whole;
  std::string text = prompt;
  const auto emit = [&](const std::string& piece) {
    text += piece;
    if (stream && !piece.empty()) stream(piece);
  };
  for (std::int64_t n = 0; n < options.max_tokens; ++n) {
    const auto id =
        static_cast<std::int32_t>(sample(next_logits(model, ids, options.device), rule, generator));
    if (id == tokenizer.eos_id()) break;
    ids.push_back(id);
    emit(whole.push(detokenizer.add(id)));
  }
  emit(whole.finish());
  return text;
}

}  // namespace longconv::train
