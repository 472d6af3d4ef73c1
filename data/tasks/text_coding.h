// Texts as the Long Range Arena's models read them: bytes, or the characters of the training part
// (data.md 2.3, 2.4).
#pragma once

#include "core/config/section.h"
#include "data/tasks/sample_facts.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longconv::data {

struct TextConfig : config::Section {
  TextConfig(std::string help, std::int64_t longest)
      : Section(nullptr, "", std::move(help)),
        max_length(this, "max_length", longest,
                   config::between(std::int64_t{2}, std::int64_t{1} << 20),
                   "values of a text at most, the end symbol of characters included; what is "
                   "longer is cut") {}
  config::Key<std::string> coding{
      this, "coding", "characters", config::one_of({"characters", "bytes"}),
      "characters of the training part and an end symbol, or bytes (value = byte + 1, no end)"};
  config::Key<std::int64_t> min_frequency{this, "min_frequency", 15,
                                          config::at_least(std::int64_t{1}),
                                          "characters rarer than this in train are unknown"};
  config::Key<std::int64_t> max_length;
};

/// Texts to values: 0 padding; of characters also 1 unknown, 2 end, then by falling frequency, ties
/// by code point.
class TextCoder {
 public:
  explicit TextCoder(const TextConfig& config);
  [[nodiscard]] bool learns() const { return characters_; }
  /// A text of the training part; only where learns(). `text` is well-formed UTF-8.
  void count(std::string_view text);
  /// After the last count() and before the first encode().
  void freeze();
  [[nodiscard]] std::vector<std::uint16_t> encode(std::string_view text) const;
  [[nodiscard]] std::int64_t vocabulary() const;
  void describe(SampleFacts& facts) const;  ///< coding and symbols

 private:
  bool characters_;
  std::int64_t min_frequency_;
  std::size_t max_length_;
  std::map<std::string, std::int64_t, std::less<>> counts_;
  std::vector<std::string> symbols_;
  std::map<std::string, std::uint16_t, std::less<>> values_;
};

}  // namespace longconv::data
