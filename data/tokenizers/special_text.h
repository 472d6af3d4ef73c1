// Special tokens that stand in a text as they are written: "<|endoftext|>", "[MASK]".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longconv::data {

class SpecialText {
 public:
  SpecialText() = default;
  /// What to look for, and the id of each.
  explicit SpecialText(std::vector<std::pair<std::string, std::int32_t>> tokens);

  /// Calls `plain(text)` and `special(id)` for the parts of `text` in order, leftmost special token
  /// first, the longest where several begin.
  template <class Plain, class Special>
  void split(std::string_view text, Plain plain, Special special) const {
    std::size_t from = 0;
    while (from < text.size()) {
      const auto [at, which] = find(text, from);
      if (at > from) plain(text.substr(from, at - from));
      if (which == tokens_.size()) return;
      special(tokens_[which].second);
      from = at + tokens_[which].first.size();
    }
  }

 private:
  /// Where the next one begins and its index; text.size() and tokens_.size() if there is none.
  [[nodiscard]] std::pair<std::size_t, std::size_t> find(std::string_view text,
                                                         std::size_t from) const;
  std::vector<std::pair<std::string, std::int32_t>> tokens_;  ///< longest first
  std::string first_bytes_;
};

}  // namespace longconv::data
