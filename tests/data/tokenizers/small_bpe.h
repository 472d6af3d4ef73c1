// Small byte-level vocabularies for tests, as the files would have them.
#pragma once

#include "data/tokenizers/bpe.h"
#include "data/tokenizers/byte_symbols.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace longconv::test {

using WrittenMerges = std::vector<std::pair<std::string, std::string>>;

struct SmallBpe {
  std::string merges;  ///< the text of a vocab.bpe
  std::string ids;     ///< the text of an encoder.json
};

/// All bytes, then what the merges make, then "<|endoftext|>".
inline SmallBpe small_bpe(const WrittenMerges& merges) {
  SmallBpe out;
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) {
    tokens.push_back(data::symbols_of_bytes(std::string(1, static_cast<char>(byte))));
  }
  out.merges = "#version: 0.2\n";
  for (const auto& [left, right] : merges) {
    out.merges += left + ' ' + right + '\n';
    const std::string result = left + right;
    if (std::find(tokens.begin(), tokens.end(), result) == tokens.end()) tokens.push_back(result);
  }
  tokens.emplace_back("<|endoftext|>");
  out.ids = "{";
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    out.ids += fmt::format("{}{}: {}", id == 0 ? "" : ", ", nlohmann::json(tokens[id]).dump(), id);
  }
  out.ids += "}";
  return out;
}

inline data::BpeVocabulary small_vocabulary(const WrittenMerges& merges) {
  const SmallBpe files = small_bpe(merges);
  return data::parse_bpe_files(files.merges, "vocab.bpe", files.ids, "encoder.json");
}

/// `text` with the first `from` replaced; a failure to find it is a failure of the test.
inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  return at == std::string::npos ? "no \"" + from + "\" in it" : text.replace(at, from.size(), to);
}

}  // namespace longconv::test
