// manifest.json of a corpus folder: what `longconv data prepare` wrote last, and what opening a
// corpus trusts.
//
//   {"format": "longconv corpus", "version": 1,
//    "inputs": {"tokenizer": ..., "eos": ..., "sources": [{"name", "sha256", "bytes", "use"},
//    ...]}, "inputs_fingerprint": sha256 of "inputs", "tokenizer": {"description", "vocab_size",
//    "eos_id", "fingerprint"}, "train": {"tokens", "bytes", "documents",
//              "shards": [{"file", "tokens", "documents", "bytes", "sha256"}, ...]},
//    "validation": {...}, "empty_documents", "bad_lines", "made": {"seconds", "source_bytes",
//    "text_mb_per_s"}}
//
// "inputs" also names what changes the corpus, where it is not as usual: "validation_share" and
// "split_seed", "lines", "document_chars", "document_tokens". "made" says how fast it went, and is
// all that two makings of one corpus do not share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace longconv::data {

inline constexpr char kManifestFile[] = "manifest.json";

/// One source file as it was read. `use`: "train", "validation", or "split at byte N" (a holdout).
struct ManifestSource {
  std::string name;  ///< as the user gave it, or below the folder they gave
  std::string sha256;
  std::int64_t bytes = 0;
  std::string use;
};

struct ManifestShard {
  std::string file;  ///< relative to the corpus folder, e.g. "train/00000.lct"
  std::int64_t tokens = 0;
  std::int64_t documents = 0;
  std::int64_t bytes = 0;  ///< of the file
  std::string sha256;      ///< of the file
};

struct ManifestSplit {
  std::int64_t tokens = 0;
  std::int64_t bytes = 0;  ///< UTF-8 bytes of the text
  std::int64_t documents = 0;
  std::vector<ManifestShard> shards;
};

struct Manifest {
  std::string tokenizer_option;  ///< as given: "bytes", "unigram:2000", or fingerprint of a path
  bool eos = true;
  std::vector<ManifestSource> sources;

  std::string tokenizer_description;
  std::int64_t vocab_size = 0;
  std::int64_t eos_id = -1;
  std::string tokenizer_fingerprint;  ///< hex

  double validation_share = 0.0;
  std::uint64_t split_seed = 0;
  bool lines = false;                ///< a document is a line of a text
  std::int64_t document_chars = 0;   ///< kept of each document; 0 = all
  std::int64_t document_tokens = 0;  ///< kept of each document; 0 = all

  ManifestSplit train;
  ManifestSplit validation;
  std::int64_t empty_documents = 0;  ///< left out; blank lines too
  std::int64_t bad_lines = 0;        ///< left out; bad_lines.jsonl names them
  double seconds = 0.0;              ///< of reading, encoding and writing, all processes together

  /// Hex sha256 of all but how long it took.
  [[nodiscard]] std::string fingerprint() const;
  /// Hex sha256 of everything the corpus was made from.
  [[nodiscard]] std::string inputs_fingerprint() const;
  [[nodiscard]] std::string to_json() const;
};

/// What is known of a finished unit (data/tasks/corpus_unit.h) of a corpus in the making.
struct UnitRecord {
  std::vector<ManifestSource> sources;
  std::vector<std::int64_t> modified_ns;  ///< of each source, when it was read
  ManifestSplit train;
  ManifestSplit validation;
  std::int64_t empty_documents = 0;
  std::int64_t bad_lines = 0;
  double seconds = 0.0;
};
std::string to_json(const UnitRecord& unit);
/// Throws DataError beginning with `where`.
UnitRecord parse_unit(const std::string& text, const std::string& where);

/// Throws DataError: the folder is no corpus (no manifest), the manifest is malformed, of another
/// version, or its inputs do not match their fingerprint.
Manifest read_manifest(const std::filesystem::path& folder);

/// True if `folder` holds a manifest. Does not read it.
bool has_manifest(const std::filesystem::path& folder);

}  // namespace longconv::data
