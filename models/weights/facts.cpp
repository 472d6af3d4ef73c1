#include "models/weights/facts.h"

#include "core/base/check.h"
#include "models/heads/language_model.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace longconv::models {

const files::TensorView& need_tensor(const FactSources& from, const std::string& name,
                                     std::size_t dimensions) {
  const NamedTensors& named = from.named;
  const auto found = named.tensors.find(name);
  if (found == named.tensors.end()) {
    const auto why = named.unreadable.find(name);
    if (why != named.unreadable.end()) throw CheckpointError(why->second);
    throw CheckpointError(fmt::format("{}: tensor {} is missing", from.where, name));
  }
  const std::vector<std::int64_t>& shape = found->second.shape;
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  LONGCONV_CHECK(shape.size() == dimensions && !empty, CheckpointError,
                 "{}: tensor {}: expected {} dimensions of at least 1, got {}", from.where, name,
                 dimensions, files::shape_words(shape));
  return found->second;
}

bool has_tensor(const FactSources& from, const std::string& name) {
  return from.named.tensors.count(name) != 0;
}

bool is_tied(const FactSources& from, const std::string& head, const std::string& embedding) {
  const auto own = from.named.tensors.find(head);
  if (own == from.named.tensors.end()) return true;
  const auto a = own->second.data;
  const auto b = from.named.tensors.at(embedding).data;
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

std::int64_t count_layers(const FactSources& from, const std::string& prefix) {
  std::int64_t layers = 0;
  const auto is_there = [&](std::int64_t layer) {
    const std::string one = fmt::format("{}{}.", prefix, layer);
    const auto at = from.named.tensors.lower_bound(one);
    return at != from.named.tensors.end() && at->first.starts_with(one);
  };
  while (is_there(layers)) ++layers;
  LONGCONV_CHECK(layers > 0, CheckpointError, "{}: tensor {}0.* is missing", from.where, prefix);
  return layers;
}

std::int64_t count_inner_layers(const FactSources& from, const std::string& mlp) {
  std::int64_t linears = 0;
  while (has_tensor(from, fmt::format("{}{}.weight", mlp, 2 * linears))) ++linears;
  return std::max<std::int64_t>(linears - 2, 0);
}

FactsBuilder::FactsBuilder(const FactSources& from, const char* family,
                           std::map<std::string, std::string> tensors)
    : from_(from), tensors_(std::move(tensors)) {
  out_.file = std::make_unique<ModelFile>();
  assign("model.family", family, from.where);
}

void FactsBuilder::assign(const std::string& key, const std::string& value,
                          const std::string& origin) {
  try {
    config::apply_override(*out_.file, key + "=" + value);
  } catch (const ConfigError& error) {
    throw CheckpointError(fmt::format("{}: {}", origin, error.what()));
  }
}

void FactsBuilder::recognise(const std::string& name, const std::string& tokenizer,
                             std::span<const Setting> settings) {
  out_.published = name;
  out_.tokenizer = tokenizer;
  for (const Setting& setting : settings) {
    assign(setting.key, setting.value, name);
    open_.insert(setting.key);
  }
}

void FactsBuilder::rows_are_ids(std::int64_t rows) {
  assign("model.vocab_size", std::to_string(rows), from_.where);
  if (rows % model().pad_vocab_multiple() != 0) {
    assign("model.pad_vocab_multiple", "1", from_.where);
  }
  open_.insert("model.vocab_size");
}

void FactsBuilder::settle(const std::string& key, const std::string& value,
                          const std::string& origin) {
  assign(key, value, origin);
  open_.erase(key);
}

void FactsBuilder::read_config(std::span<const Word> words) {
  for (const Word& word : words) {
    const auto found = from_.config.find(word.published);
    if (found == from_.config.end()) continue;
    const auto tensors = tensors_.find(word.key);
    if (tensors != tensors_.end()) {
      if (tensors->second != found->second) {
        out_.inferred.push_back(fmt::format("{} = {} (tensors; config.json says {} = {})", word.key,
                                            tensors->second, word.published, found->second));
      }
      continue;
    }
    settle(word.key, found->second, from_.config_file + ": " + word.published);
    out_.inferred.push_back(
        fmt::format("{} = {} (config.json: {})", word.key, found->second, word.published));
  }
}

void FactsBuilder::read_tensors() {
  for (const auto& [key, value] : tensors_) {
    assign(key, value, from_.where);
    const std::string words = fmt::format("{} = {} (tensors", key, value);
    const bool listed =
        std::any_of(out_.inferred.begin(), out_.inferred.end(),
                    [&](const std::string& line) { return line.starts_with(words); });
    if (!listed) out_.inferred.push_back(words + ")");
  }
}

void FactsBuilder::apply_overrides() {
  for (const std::string& text : from_.overrides) {
    config::apply_override(*out_.file, text);
    open_.erase(text.substr(0, text.find('=')));
  }
}

void FactsBuilder::check_rows(const std::string& embedding, std::int64_t rows) const {
  const std::int64_t padded = padded_vocab(model().vocab_size(), model().pad_vocab_multiple());
  LONGCONV_CHECK(padded == rows, CheckpointError,
                 "{}: tensor {} has {} rows, but model.vocab_size = {} in multiples of "
                 "model.pad_vocab_multiple = {} makes {}; set model.vocab_size={}",
                 from_.where, embedding, rows, model().vocab_size(), model().pad_vocab_multiple(),
                 padded, rows);
}

ModelFacts FactsBuilder::finish() {
  for (const config::KeyBase* key : config::all_keys(*out_.file)) {
    if (open_.count(key->path()) == 0) continue;
    out_.defaulted.push_back(fmt::format("{} = {} ({})", key->path(), key->to_toml(),
                                         out_.published.empty() ? "default" : out_.published));
  }
  return std::move(out_);
}

}  // namespace longconv::models
