// The vocabulary of a byte-level byte pair encoding, as GPT-2 introduced it (data.md 4.6).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace longconv::data {

/// The merge of rank r stands at index r.
struct BpeMerge {
  std::int32_t left = 0;
  std::int32_t right = 0;
  std::int32_t result = 0;
};

struct BpeVocabulary {
  std::vector<std::string> tokens;           ///< the bytes of each id
  std::array<std::int32_t, 256> byte_ids{};  ///< the id of each byte
  std::vector<BpeMerge> merges;
  std::vector<std::int32_t> specials;  ///< ids no merge makes: "<|endoftext|>"; ascending
  std::int64_t eos = -1;               ///< one of the specials
};

/// A vocabulary as its files have it, in GPT-2's byte symbols.
struct WrittenBpe {
  struct Token {
    std::string symbols;
    std::int64_t id = 0;
    std::size_t place = 0;  ///< for messages
    bool added = false;     ///< declared to be no product of merges, and written as plain text
  };
  struct Merge {
    std::string left;
    std::string right;
    std::size_t place = 0;
  };
  using Place = std::function<std::string(std::size_t)>;

  std::vector<Token> tokens;
  std::vector<Merge> merges;
  Place token_place;  ///< "encoder.json:1:17" of a token's place
  Place merge_place;  ///< "vocab.bpe:23"
  /// Nothing says which tokens were added: those that look like "<...>" or "[...]" may be.
  bool guess_added = false;
};

/// Checks that ids run from 0 without gaps or twins, that no token stands there twice, all 256
/// bytes have one, each merge joins tokens to a token and stands there once, and every token is a
/// byte, a merge's product or an added one (else merges are missing). Throws DataError with the
/// place.
BpeVocabulary make_bpe_vocabulary(const WrittenBpe& written);

/// Tokens, merges and specials in one string, the same however they were written.
std::string content_of(const BpeVocabulary& vocabulary);

}  // namespace longconv::data
