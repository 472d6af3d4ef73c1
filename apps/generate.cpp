// longconv generate: streams a continuation to the terminal, or collects several as JSON.
#include "train/evaluation/generate.h"

#include "apps/commands.h"
#include "apps/open_model.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/runtime/device.h"
#include "data/tokenizers/tokenizer.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <iostream>
#include <iterator>

namespace longconv::apps {
namespace {

using nlohmann::json;

std::string read_prompt(const GenerateOptions& options) {
  if (options.prompt != "-") return options.prompt;
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

}  // namespace

ExitCode generate(const GenerateOptions& options) {
  const ModelPlace place = find_model(options.model);
  const auto config = load_config(place, {});
  const c10::Device device = runtime::choose_device(options.device);
  const auto tokenizer = load_tokenizer(place, *config);
  const auto model =
      std::dynamic_pointer_cast<models::LanguageModel>(load_model(place, *config, device));
  LONGCONV_CHECK(model != nullptr && config->model.head.kind() == "lm", UsageError,
                 "{}: a model with a head \"{}\" generates no text; expected a head \"lm\"",
                 place.folder.string(), config->model.head.kind());
  const std::string prompt = read_prompt(options);
  log::info("{}: {} tokens from {} on {}", place.folder.string(), options.tokens,
            tokenizer->describe(), device.str());

  json samples = json::array();
  for (std::int64_t i = 0; i < options.samples; ++i) {
    train::SampleOptions sampling;
    sampling.max_tokens = options.tokens;
    sampling.temperature = options.temperature;
    sampling.top_k = options.top_k;
    sampling.top_p = options.top_p;
    sampling.seed = options.seed + static_cast<std::uint64_t>(i);
    sampling.device = device;
    if (!options.json) fmt::print("{}{}", i == 0 ? "" : "\n", prompt);
    const auto show = [&](std::string_view piece) {
      if (options.json) return;
      std::fwrite(piece.data(), 1, piece.size(), stdout);
      std::fflush(stdout);
    };
    const std::string text = train::generate(*model, *tokenizer, prompt, sampling, show);
    if (options.json) {
      samples.push_back({{"seed", sampling.seed}, {"text", text}});
    } else {
      fmt::print("\n");
    }
  }
  if (options.json) {
    const json result{{"model", place.folder.string()},
                      {"prompt", prompt},
                      {"tokens", options.tokens},
                      {"temperature", options.temperature},
                      {"top_k", options.top_k},
                      {"top_p", options.top_p},
                      {"samples", samples}};
    // A sample may end inside a UTF-8 sequence; JSON may not.
    fmt::print("{}\n", result.dump(2, ' ', false, json::error_handler_t::replace));
  }
  return ExitCode::ok;
}

}  // namespace longconv::apps
