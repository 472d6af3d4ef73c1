// Sampling from a language model: temperature, top-k, top-p, seed; streamed as text.
#pragma once

#include "data/tokenizers/tokenizer.h"
#include "models/model.h"

#include <c10/core/Device.h>

#include <functional>
#include <string>
#include <string_view>

namespace longconv::train {

struct SampleOptions {
  std::int64_t max_tokens = 100;
  double temperature = 1.0;  ///< 0 = the most likely token
  std::int64_t top_k = 0;    ///< 0 = all
  double top_p = 1.0;        ///< smallest set of tokens with this mass
  std::uint64_t seed = 0;
  c10::Device device = c10::kCPU;  ///< where the model is
};

/// Continues `prompt`; each new piece of valid UTF-8 text goes to `stream` (may be empty) as soon
/// as it is whole, bytes that form no character as U+FFFD. Recomputes the last l_max tokens at each
/// step. Stops at EOS. Returns prompt + everything streamed. An empty prompt starts after an EOS,
/// as a new document does. The model is put into eval mode and back. Throws UsageError for options
/// out of range, or for an empty prompt where the tokenizer has no EOS; NonFiniteError.
std::string generate(models::LanguageModel& model, const data::Tokenizer& tokenizer,
                     const std::string& prompt, const SampleOptions& options,
                     const std::function<void(std::string_view)>& stream);

}  // namespace longconv::train
