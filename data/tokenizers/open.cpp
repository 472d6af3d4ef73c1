#include "core/base/check.h"
#include "core/files/cache_folder.h"
#include "data/tokenizers/bpe.h"
#include "data/tokenizers/bytes.h"
#include "data/tokenizers/characters.h"
#include "data/tokenizers/dna.h"
#include "data/tokenizers/folder.h"
#include "data/tokenizers/lra.h"
#include "data/tokenizers/sentencepiece.h"
#include "data/tokenizers/tokenizer.h"
#include "data/tokenizers/wordpiece.h"

namespace longconv::data {

namespace {

namespace fs = std::filesystem;
using TokenizerPointer = std::shared_ptr<const Tokenizer>;

bool there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

/// The files of a kind in a folder, as save() or others leave them; nothing if they are not there.
TokenizerPointer open_bpe_pair(const fs::path& folder, const TokenizerOptions& options) {
  constexpr const char* kPairs[][2] = {{"vocab.bpe", "encoder.json"}, {"merges.txt", "vocab.json"}};
  for (const auto& [merges, ids] : kPairs) {
    const bool one = there(folder / merges);
    const bool other = there(folder / ids);
    if (one && other) return make_bpe(read_bpe_files(folder / merges, folder / ids), options);
    LONGCONV_CHECK(one == other, DataError, "{}: {} is there, {} beside it is missing",
                   folder.string(), one ? merges : ids, one ? ids : merges);
  }
  return nullptr;
}

TokenizerPointer open_named(const std::string& name, const TokenizerOptions& options) {
  if (name == "bytes") return std::make_shared<ByteTokenizer>();
  if (name == "dna") return std::make_shared<DnaTokenizer>(options);
  if (name == "listops") return std::make_shared<ListOpsTokenizer>();
  if (name == "lra_bytes") return std::make_shared<LraByteTokenizer>();
  if (name != "gpt2" && name != "bert") return nullptr;
  const fs::path folder = files::cache_folder() / "vocabularies" / name;
  TokenizerPointer tokenizer;
  if (name == "gpt2") {
    tokenizer = open_bpe_pair(folder, options);
  } else if (there(folder / kWordPieceFile)) {
    tokenizer = open_wordpiece(folder / kWordPieceFile, options);
  }
  LONGCONV_CHECK(
      tokenizer != nullptr, EnvironmentError,
      "tokenizer {}: expected its vocabulary in {}, nothing is there; scripts/vocabularies "
      "of the sources fetches it (LONGCONV_CACHE names another place), or give a path",
      name, folder.string());
  return tokenizer;
}

/// A folder that others made.
TokenizerPointer open_foreign_folder(const fs::path& folder, const TokenizerOptions& options) {
  if (there(folder / kSentencePieceFile)) return open_sentencepiece(folder / kSentencePieceFile);
  if (there(folder / kWordPieceFile)) return open_wordpiece(folder / kWordPieceFile, options);
  // Before the pair of files: it says how the text is cut.
  if (there(folder / kTokenizerJson)) {
    return make_bpe(read_tokenizer_json(folder / kTokenizerJson), options);
  }
  TokenizerPointer tokenizer = open_bpe_pair(folder, options);
  LONGCONV_CHECK(tokenizer != nullptr, DataError,
                 "{}: no tokenizer in this folder: expected {}, {}, {}, {}, vocab.bpe with "
                 "encoder.json, or merges.txt with vocab.json",
                 folder.string(), kTokenizerCard, kSentencePieceFile, kWordPieceFile,
                 kTokenizerJson);
  return tokenizer;
}

TokenizerPointer open_own_folder(const fs::path& folder) {
  const TokenizerCard card = read_tokenizer_card(folder);
  TokenizerPointer tokenizer;
  if (card.kind == "sentencepiece") {
    tokenizer = open_sentencepiece(folder / kSentencePieceFile);
  } else if (card.kind == "bpe") {
    tokenizer = make_bpe(read_tokenizer_json(folder / kTokenizerJson), card.options);
  } else if (card.kind == "wordpiece") {
    tokenizer = open_wordpiece(folder / kWordPieceFile, card.options);
  } else if (card.kind == "characters") {
    tokenizer = open_characters(folder / kCharactersFile);
  } else if (card.kind != "gpt2" && card.kind != "bert") {
    tokenizer = open_named(card.kind, card.options);
  }
  LONGCONV_CHECK(tokenizer != nullptr, DataError,
                 "{}: tokenizer kind \"{}\", this program knows bytes, sentencepiece, bpe, "
                 "wordpiece, characters, dna, listops and lra_bytes",
                 (folder / kTokenizerCard).string(), card.kind);
  const std::string got = files::hex(tokenizer->fingerprint());
  LONGCONV_CHECK(got == card.fingerprint, DataError,
                 "{}: the card names tokenizer {}, the folder holds {}: it has been changed",
                 folder.string(), card.fingerprint, got);
  return tokenizer;
}

}  // namespace

TokenizerPointer open_tokenizer(const std::string& name_or_path, const TokenizerOptions& options) {
  if (TokenizerPointer named = open_named(name_or_path, options)) return named;
  const fs::path path(name_or_path);
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) {
    return there(path / kTokenizerCard) ? open_own_folder(path)
                                        : open_foreign_folder(path, options);
  }
  LONGCONV_CHECK(fs::exists(status), DataError,
                 "{}: no such tokenizer: expected \"bytes\", \"gpt2\", \"bert\", \"dna\", "
                 "\"listops\", \"lra_bytes\", or a file or folder that holds one",
                 name_or_path);
  if (path.extension() == ".model") return open_sentencepiece(path);
  if (path.extension() == ".txt") return open_wordpiece(path, options);
  if (path.extension() == ".json") return make_bpe(read_tokenizer_json(path), options);
  throw DataError(
      fmt::format("{}: expected a file named *.model (SentencePiece), *.json (tokenizer.json) or "
                  "*.txt (WordPiece), or a tokenizer folder",
                  name_or_path));
}

}  // namespace longconv::data
