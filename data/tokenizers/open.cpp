#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "data/tokenizers/bytes.h"
#include "data/tokenizers/folder.h"
#include "data/tokenizers/sentencepiece.h"
#include "data/tokenizers/tokenizer.h"

#include <nlohmann/json.hpp>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kMaxCardBytes = 1 << 16;

std::shared_ptr<const Tokenizer> open_folder(const fs::path& folder) {
  const fs::path card_path = folder / kTokenizerCard;
  const fs::path model_path = folder / kSentencePieceFile;
  std::error_code error;
  if (!fs::exists(card_path, error)) {
    // A folder from elsewhere may hold just the model.
    LONGCONV_CHECK(fs::exists(model_path, error), DataError,
                   "{}: no tokenizer in this folder: expected {} or {}", folder.string(),
                   kTokenizerCard, kSentencePieceFile);
    return open_sentencepiece(model_path);
  }
  const json card = json::parse(files::read_text(card_path, kMaxCardBytes), nullptr,
                                /*allow_exceptions=*/false);
  const bool well_formed = card.is_object() && card.contains("kind") && card["kind"].is_string() &&
                           card.contains("fingerprint") && card["fingerprint"].is_string();
  LONGCONV_CHECK(well_formed, DataError,
                 "{}: expected a JSON object with the strings \"kind\" and \"fingerprint\"",
                 card_path.string());
  const auto kind = card["kind"].get<std::string>();
  std::shared_ptr<const Tokenizer> tokenizer;
  if (kind == "bytes") {
    tokenizer = std::make_shared<ByteTokenizer>();
  } else if (kind == "sentencepiece") {
    tokenizer = open_sentencepiece(model_path);
  } else {
    throw DataError(
        fmt::format("{}: tokenizer kind \"{}\", this program knows bytes and sentencepiece",
                    card_path.string(), kind));
  }
  const std::string got = files::hex(tokenizer->fingerprint());
  const auto want = card["fingerprint"].get<std::string>();
  LONGCONV_CHECK(got == want, DataError,
                 "{}: the card names tokenizer {}, the folder holds {}: it has been changed",
                 folder.string(), want, got);
  return tokenizer;
}

}  // namespace

void write_tokenizer_card(const fs::path& folder, const Tokenizer& tokenizer,
                          const std::string& kind) {
  files::create_folders(folder);
  const json card = {{"kind", kind},
                     {"vocab_size", tokenizer.vocab_size()},
                     {"eos_id", tokenizer.eos_id()},
                     {"fingerprint", files::hex(tokenizer.fingerprint())}};
  files::write_atomic(folder / kTokenizerCard, card.dump(2) + "\n");
}

std::shared_ptr<const Tokenizer> open_tokenizer(const std::string& name_or_path) {
  if (name_or_path == "bytes") return std::make_shared<ByteTokenizer>();
  const fs::path path(name_or_path);
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) return open_folder(path);
  LONGCONV_CHECK(
      fs::exists(status), DataError,
      "{}: no such tokenizer: expected \"bytes\", a SentencePiece *.model file, or a folder "
      "that holds one",
      name_or_path);
  LONGCONV_CHECK(path.extension() == ".model", DataError,
                 "{}: expected a SentencePiece file named *.model, or a tokenizer folder",
                 name_or_path);
  return open_sentencepiece(path);
}

}  // namespace longconv::data
