// Rows of token ids to run a model on, one row at a time, whatever file they come from:
//
//   .npy                         (B, L) int32 or int64, with a mask of the same shape or without
//   .fa .fna .fasta [.gz]        a row a sequence, through a tokenizer
//   .jsonl [.gz, .zst]           a row a line's "text"
//   .txt .raw [.gz, .zst]        one row
//
// Texts are encoded as they are, without special tokens added.
#pragma once

#include "data/tokenizers/tokenizer.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace longconv::data {

inline constexpr char kRowEndings[] =
    ".npy, .fa, .fna, .fasta, .jsonl, .txt or .raw (all but .npy also with .gz)";

struct TokenRow {
  std::vector<std::int64_t> ids;
  std::vector<std::uint8_t> mask;  ///< 1 where a position counts; empty = everywhere
  std::string name;                ///< of a FASTA sequence, else empty
  std::string where;               ///< "ids.npy: row 3", "genome.fa:17"
  [[nodiscard]] bool counts(std::size_t position) const {
    return mask.empty() || mask[position] != 0;
  }
};

class TokenRows {
 public:
  virtual ~TokenRows() = default;
  /// False at the end. Throws DataError with file and row, line or offset.
  virtual bool next(TokenRow& row) = 0;
};

/// Whether rows of `path` are ids already, all of one length, and need no tokenizer.
bool holds_ids(const std::filesystem::path& path);

/// From the beginning. `mask`: a .npy of 0 and 1 in any integers or booleans; empty = none.
/// `tokenizer` is not read where holds_ids(). Throws UsageError for another ending and for a mask
/// beside anything but ids; DataError for a file that cannot be read, ids or a mask of another
/// dtype or shape.
std::unique_ptr<TokenRows> open_token_rows(const std::filesystem::path& path,
                                           const std::filesystem::path& mask,
                                           std::shared_ptr<const Tokenizer> tokenizer);

}  // namespace longconv::data
