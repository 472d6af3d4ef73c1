// Byte-level byte pair encoding, GPT-2's: data/tokenizers/gpt2_pieces.h cuts a text into pieces,
// data/tokenizers/bpe_merger.h turns each into ids.
//
// Any bytes come back: those that are no UTF-8 are cut into pieces like U+FFFD and encoded as the
// bytes they are. (Python's packages take characters, so there U+FFFD has replaced them before.)
#pragma once

#include "data/tokenizers/bpe_vocabulary.h"
#include "data/tokenizers/tokenizer.h"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace longconv::data {

std::shared_ptr<const Tokenizer> make_bpe(BpeVocabulary vocabulary,
                                          const TokenizerOptions& options = {});

/// GPT-2's own pair of files: `merges` ("#version: 0.2", then "A B" a line, rank by rank; vocab.bpe
/// or merges.txt) and `ids` (a JSON object from token to id; encoder.json or vocab.json). The names
/// begin messages. Throws DataError.
BpeVocabulary parse_bpe_files(std::string_view merges, const std::string& merges_name,
                              std::string_view ids, const std::string& ids_name);
BpeVocabulary read_bpe_files(const std::filesystem::path& merges, const std::filesystem::path& ids);

/// Hugging Face's tokenizer.json, where it describes this algorithm: model BPE without dropout,
/// affixes or byte fallback, pre-tokenizer and decoder ByteLevel with GPT-2's expression, no
/// normalizer. Throws DataError with file, line and column, also for what would change the ids and
/// is not supported.
BpeVocabulary parse_tokenizer_json(std::string_view text, const std::string& name);
BpeVocabulary read_tokenizer_json(const std::filesystem::path& path);
/// The same file, as Hugging Face's tokenizers read it.
std::string write_tokenizer_json(const BpeVocabulary& vocabulary);

}  // namespace longconv::data
