#include "data/tokenizers/folder.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"

#include <nlohmann/json.hpp>

namespace longconv::data {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxCardBytes = 1 << 16;

/// An option's key, and which it is.
struct Option {
  const char* key;
  bool TokenizerOptions::*value;
};
constexpr Option kOptions[] = {{"special_text", &TokenizerOptions::special_text},
                               {"upper_case", &TokenizerOptions::upper_case}};

}  // namespace

void write_tokenizer_card(const std::filesystem::path& folder, const Tokenizer& tokenizer,
                          const std::string& kind, const TokenizerOptions& options) {
  files::create_folders(folder);
  json card = {{"kind", kind},
               {"vocab_size", tokenizer.vocab_size()},
               {"eos_id", tokenizer.eos_id()},
               {"fingerprint", files::hex(tokenizer.fingerprint())}};
  for (const Option& option : kOptions) {
    if (!(options.*option.value)) card[option.key] = false;
  }
  files::write_atomic(folder / kTokenizerCard, card.dump(2) + "\n");
}

TokenizerCard read_tokenizer_card(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kTokenizerCard;
  const json card =
      json::parse(files::read_text(path, kMaxCardBytes), nullptr, /*allow_exceptions=*/false);
  const auto is_string = [&](const char* key) {
    return card.contains(key) && card[key].is_string();
  };
  LONGCONV_CHECK(card.is_object() && is_string("kind") && is_string("fingerprint"), DataError,
                 "{}: expected a JSON object with the strings \"kind\" and \"fingerprint\"",
                 path.string());
  TokenizerCard out{card["kind"].get<std::string>(), card["fingerprint"].get<std::string>(), {}};
  for (const Option& option : kOptions) {
    if (!card.contains(option.key)) continue;
    LONGCONV_CHECK(card[option.key].is_boolean(), DataError,
                   "{}: \"{}\": expected true or false, got {}", path.string(), option.key,
                   card[option.key].dump());
    out.options.*option.value = card[option.key].get<bool>();
  }
  return out;
}

files::Digest fingerprint_with(std::string_view content, const TokenizerOptions& options) {
  files::Sha256 hash;
  hash.update(content);
  for (const Option& option : kOptions) {
    if (!(options.*option.value)) hash.update(fmt::format("\n{} = false", option.key));
  }
  return hash.finish();
}

}  // namespace longconv::data
