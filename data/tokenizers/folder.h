// A tokenizer folder: tokenizer_card.json {"kind", "vocab_size", "eos_id", "fingerprint"} with the
// options that are not the usual ones, and beside it the file of its kind, if it has one.
#pragma once

#include "data/tokenizers/tokenizer.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace longconv::data {

inline constexpr char kTokenizerCard[] = "tokenizer_card.json";
inline constexpr char kSentencePieceFile[] = "tokenizer.model";
inline constexpr char kTokenizerJson[] = "tokenizer.json";    ///< byte-level BPE
inline constexpr char kWordPieceFile[] = "vocab.txt";         ///< WordPiece
inline constexpr char kCharactersFile[] = "characters.json";  ///< characters

/// Creates the folder and writes its card. Throws EnvironmentError.
void write_tokenizer_card(const std::filesystem::path& folder, const Tokenizer& tokenizer,
                          const std::string& kind, const TokenizerOptions& options = {});

struct TokenizerCard {
  std::string kind;
  std::string fingerprint;  ///< hexadecimal
  TokenizerOptions options;
};
/// Throws DataError naming the card's path.
TokenizerCard read_tokenizer_card(const std::filesystem::path& folder);

/// SHA-256 of `content`, and of what differs from the usual in `options`.
files::Digest fingerprint_with(std::string_view content, const TokenizerOptions& options);

}  // namespace longconv::data
