// A vocabulary of the characters of a corpus, as S4 and safari have it for LRA's Text and Retrieval
// (data.md 2.3, 2.4): <pad> 0, <unk> 1, <eos> 2, then the Unicode characters of the training text
// by falling frequency, ties by code point. A character it does not have is <unk>, which decodes to
// U+FFFD; a byte that is no UTF-8 is <unk>, too.
#pragma once

#include "data/tokenizers/sentencepiece.h"  // TextSource
#include "data/tokenizers/tokenizer.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace longconv::data {

/// Counts the characters of all texts and keeps those that occur at least `min_count` times
/// (safari: 15 for IMDB, which gives 135 ids). Throws DataError if none does.
std::shared_ptr<const Tokenizer> train_characters(const TextSource& source, std::int64_t min_count);

/// A characters.json: {"characters": ["e", " ", ...]}, ids from 3. Throws DataError with the place:
/// a string that is not one character, one that stands there twice.
std::shared_ptr<const Tokenizer> parse_characters(std::string_view text, const std::string& name);
std::shared_ptr<const Tokenizer> open_characters(const std::filesystem::path& path);

}  // namespace longconv::data
