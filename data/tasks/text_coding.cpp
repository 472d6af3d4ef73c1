#include "data/tasks/text_coding.h"

#include "core/base/check.h"
#include "data/formats/utf8.h"

#include <algorithm>
#include <functional>

namespace longconv::data {

namespace {

constexpr std::uint16_t kUnknown = 1;
constexpr std::uint16_t kEnd = 2;
constexpr std::int64_t kByteValues = 257;
constexpr std::int64_t kMostValues = 1 << 16;

/// Calls `handle` with each character until it returns false.
void for_each_character(std::string_view text,
                        const std::function<bool(std::string_view)>& handle) {
  while (!text.empty()) {
    const std::size_t length = std::max<std::size_t>(utf8_length(text), 1);
    if (!handle(text.substr(0, length))) return;
    text.remove_prefix(length);
  }
}

}  // namespace

TextCoder::TextCoder(const TextConfig& config)
    : characters_(config.coding() == "characters"),
      min_frequency_(config.min_frequency()),
      max_length_(static_cast<std::size_t>(config.max_length())) {}

void TextCoder::count(std::string_view text) {
  for_each_character(text, [&](std::string_view character) {
    const auto found = counts_.find(character);
    if (found != counts_.end()) {
      ++found->second;
    } else {
      counts_.emplace(character, 1);
    }
    return true;
  });
}

void TextCoder::freeze() {
  symbols_ = {"<pad>", "<unk>", "<eos>"};
  // UTF-8 sorts as its code points do, so the map's order breaks ties.
  std::vector<std::pair<std::int64_t, std::string>> kept;
  for (const auto& [character, count] : counts_) {
    if (count >= min_frequency_) kept.emplace_back(count, character);
  }
  std::stable_sort(kept.begin(), kept.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  LONGCONV_CHECK(static_cast<std::int64_t>(kept.size() + symbols_.size()) <= kMostValues, DataError,
                 "{} different characters, at most {} fit; raise min_frequency", kept.size(),
                 kMostValues);
  for (auto& [count, character] : kept) {
    values_.emplace(character, static_cast<std::uint16_t>(symbols_.size()));
    symbols_.push_back(std::move(character));
  }
}

std::vector<std::uint16_t> TextCoder::encode(std::string_view text) const {
  std::vector<std::uint16_t> out;
  if (!characters_) {
    for (const char byte : text.substr(0, max_length_)) {
      out.push_back(static_cast<std::uint16_t>(static_cast<unsigned char>(byte) + 1));
    }
    return out;
  }
  for_each_character(text, [&](std::string_view character) {
    if (out.size() + 1 >= max_length_) return false;
    const auto found = values_.find(character);
    out.push_back(found == values_.end() ? kUnknown : found->second);
    return true;
  });
  out.push_back(kEnd);
  return out;
}

std::int64_t TextCoder::vocabulary() const {
  return characters_ ? static_cast<std::int64_t>(symbols_.size()) : kByteValues;
}

void TextCoder::describe(SampleFacts& facts) const {
  facts.coding = characters_ ? "symbols" : "bytes";
  facts.symbols = symbols_;
}

}  // namespace longconv::data
