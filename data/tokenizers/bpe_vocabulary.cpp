#include "data/tokenizers/bpe_vocabulary.h"

#include "core/base/check.h"
#include "data/tokenizers/byte_symbols.h"
#include "data/tokenizers/vocabulary_lines.h"

#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace longconv::data {

namespace {

using TokenIds = std::unordered_map<std::string_view, std::int32_t>;

bool looks_added(std::string_view token) {
  return token.size() > 2 && ((token.starts_with('<') && token.ends_with('>')) ||
                              (token.starts_with('[') && token.ends_with(']')));
}

/// The written token of each id.
std::vector<const WrittenBpe::Token*> by_id(const WrittenBpe& written) {
  const std::size_t count = written.tokens.size();
  LONGCONV_CHECK(count <= kMaxTokens, DataError, "{}: more than {} tokens",
                 written.token_place(written.tokens[kMaxTokens].place), kMaxTokens);
  std::vector<const WrittenBpe::Token*> tokens(count, nullptr);
  for (const WrittenBpe::Token& token : written.tokens) {
    LONGCONV_CHECK(token.id >= 0 && static_cast<std::size_t>(token.id) < count, DataError,
                   "{}: token \"{}\" has id {}, but there are {} tokens: expected ids from 0 to {}",
                   written.token_place(token.place), token.symbols, token.id, count, count - 1);
    const WrittenBpe::Token*& slot = tokens[static_cast<std::size_t>(token.id)];
    LONGCONV_CHECK(slot == nullptr, DataError, "{}: token \"{}\" has id {}, as \"{}\" has",
                   written.token_place(token.place), token.symbols, token.id, slot->symbols);
    LONGCONV_CHECK(!token.symbols.empty() && token.symbols.size() <= kMaxTokenBytes, DataError,
                   "{}: expected a token of 1 to {} bytes, got {}",
                   written.token_place(token.place), kMaxTokenBytes, token.symbols.size());
    slot = &token;
  }
  return tokens;
}

void find_bytes(const WrittenBpe& written, const TokenIds& ids,
                std::array<std::int32_t, 256>& out) {
  for (std::size_t byte = 0; byte < out.size(); ++byte) {
    const std::string symbol = symbols_of_bytes(std::string(1, static_cast<char>(byte)));
    const auto found = ids.find(symbol);
    LONGCONV_CHECK(found != ids.end(), DataError,
                   "{}: no token for byte 0x{:02X}, expected \"{}\"; a byte-level vocabulary has "
                   "all 256",
                   written.token_place(0), byte, symbol);
    out[byte] = found->second;
  }
}

/// Merges as ids; `made` marks what they produce.
std::vector<BpeMerge> find_merges(const WrittenBpe& written, const TokenIds& ids,
                                  std::vector<bool>& made) {
  std::vector<BpeMerge> merges;
  merges.reserve(written.merges.size());
  std::unordered_set<std::uint64_t> seen;
  for (const WrittenBpe::Merge& merge : written.merges) {
    const auto id = [&](const std::string& symbols) {
      const auto found = ids.find(symbols);
      LONGCONV_CHECK(found != ids.end(), DataError,
                     "{}: merge \"{} {}\": the vocabulary has no \"{}\"; do the two files belong "
                     "together?",
                     written.merge_place(merge.place), merge.left, merge.right, symbols);
      return found->second;
    };
    const BpeMerge one{id(merge.left), id(merge.right), id(merge.left + merge.right)};
    const std::uint64_t pair =
        static_cast<std::uint64_t>(one.left) << 32 | static_cast<std::uint64_t>(one.right);
    LONGCONV_CHECK(seen.insert(pair).second, DataError, "{}: merge \"{} {}\" stands there twice",
                   written.merge_place(merge.place), merge.left, merge.right);
    made[static_cast<std::size_t>(one.result)] = true;
    merges.push_back(one);
  }
  return merges;
}

}  // namespace

BpeVocabulary make_bpe_vocabulary(const WrittenBpe& written) {
  const auto tokens = by_id(written);
  TokenIds ids;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const bool fresh = ids.emplace(tokens[id]->symbols, static_cast<std::int32_t>(id)).second;
    LONGCONV_CHECK(fresh, DataError, "{}: token \"{}\" stands there twice",
                   written.token_place(tokens[id]->place), tokens[id]->symbols);
  }
  BpeVocabulary out;
  find_bytes(written, ids, out.byte_ids);
  std::vector<bool> made(tokens.size(), false);
  for (const std::int32_t id : out.byte_ids) made[static_cast<std::size_t>(id)] = true;
  out.merges = find_merges(written, ids, made);

  out.tokens.resize(tokens.size());
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const WrittenBpe::Token& token = *tokens[id];
    const bool added =
        token.added || (written.guess_added && !made[id] && looks_added(token.symbols));
    if (added) {
      LONGCONV_CHECK(
          !made[id] || bytes_of_symbols(token.symbols) == token.symbols, DataError,
          "{}: added token \"{}\" (id {}) is a byte's or a merge's token, too, and would "
          "stand for two texts",
          written.token_place(token.place), token.symbols, id);
      out.tokens[id] = token.symbols;
      out.specials.push_back(static_cast<std::int32_t>(id));
      continue;
    }
    LONGCONV_CHECK(made[id], DataError,
                   "{}: token \"{}\" (id {}) is no byte, no merge makes it, and it is not declared "
                   "as added: are merges missing?",
                   written.token_place(token.place), token.symbols, id);
    out.tokens[id] = *bytes_of_symbols(token.symbols);  // made of byte symbols, so all are known
  }
  for (const std::string_view name : {"<|endoftext|>", "</s>", "<|end_of_text|>", "<eos>"}) {
    for (const std::int32_t id : out.specials) {
      if (out.eos < 0 && out.tokens[static_cast<std::size_t>(id)] == name) out.eos = id;
    }
  }
  return out;
}

std::string content_of(const BpeVocabulary& vocabulary) {
  std::string content = "byte-level bpe\n";
  for (const std::string& token : vocabulary.tokens) {
    content += std::to_string(token.size()) + ':' + token;
  }
  for (const BpeMerge& merge : vocabulary.merges) {
    content += fmt::format("{} {}\n", merge.left, merge.right);
  }
  for (const std::int32_t id : vocabulary.specials) content += fmt::format("special {}\n", id);
  return content;
}

}  // namespace longconv::data
