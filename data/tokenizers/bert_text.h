// What BERT's uncased tokenizer does to a text before WordPiece (data.md 6.4, steps 2 to 5):
//
//   drop control and unassigned characters, white space to spaces, ideographs to words of their
//   own; NFD, drop category Mn, lower-case one by one; split at white space; punctuation is words,
//   too.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace longconv::data {

/// Calls `word(text, characters)` for each word, as UTF-8. Bytes that are no UTF-8 are dropped, as
/// U+FFFD is.
void for_each_bert_word(
    std::string_view text,
    const std::function<void(std::string_view word, std::size_t characters)>& word);

}  // namespace longconv::data
