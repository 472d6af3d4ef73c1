// A tokenizer folder: tokenizer_card.json {"kind", "vocab_size", "eos_id", "fingerprint"}, and for
// "sentencepiece" the file tokenizer.model beside it.
#pragma once

#include "data/tokenizers/tokenizer.h"

#include <filesystem>
#include <string>

namespace longconv::data {

inline constexpr char kTokenizerCard[] = "tokenizer_card.json";
inline constexpr char kSentencePieceFile[] = "tokenizer.model";

/// Creates the folder and writes its card. Throws EnvironmentError.
void write_tokenizer_card(const std::filesystem::path& folder, const Tokenizer& tokenizer,
                          const std::string& kind);

}  // namespace longconv::data
