#include "data/tokenizers/special_text.h"

#include <algorithm>

namespace longconv::data {

SpecialText::SpecialText(std::vector<std::pair<std::string, std::int32_t>> tokens)
    : tokens_(std::move(tokens)) {
  std::stable_sort(tokens_.begin(), tokens_.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  for (const auto& [text, id] : tokens_) {
    if (first_bytes_.find(text.front()) == std::string::npos) first_bytes_ += text.front();
  }
}

std::pair<std::size_t, std::size_t> SpecialText::find(std::string_view text,
                                                      std::size_t from) const {
  while (!tokens_.empty()) {
    // One byte is what most vocabularies have here, and memchr is an order faster than a set.
    from = first_bytes_.size() == 1 ? text.find(first_bytes_.front(), from)
                                    : text.find_first_of(first_bytes_, from);
    if (from == std::string_view::npos) break;
    const auto found = std::find_if(tokens_.begin(), tokens_.end(), [&](const auto& token) {
      return text.compare(from, token.first.size(), token.first) == 0;
    });
    if (found != tokens_.end()) {
      return {from, static_cast<std::size_t>(found - tokens_.begin())};
    }
    ++from;
  }
  return {text.size(), tokens_.size()};
}

}  // namespace longconv::data
