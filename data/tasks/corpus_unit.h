// A unit of the work of preparing a corpus: one source, or several small neighbours. What is
// finished is finished by units, and every unit has its own shards, so that units can be made in
// any order, by any process.
#pragma once

#include "data/tasks/corpus_documents.h"
#include "data/tasks/corpus_manifest.h"
#include "data/tokenizers/tokenizer.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace longconv::data {

struct EncodeOptions {
  DocumentRules rules;
  bool eos = true;                   ///< put EOS behind each document
  std::int64_t document_tokens = 0;  ///< keep so many tokens of each, EOS not counted; 0 = all
  double max_bad = 0.001;            ///< share of lines that may be bad
  std::int64_t shard_tokens = 0;     ///< a shard is closed when it has as many
  std::int64_t threads = 1;
};

/// Encodes the sources to shards `corpus`/train/<name>-*.lct and validation/, and writes what was
/// left out to `bad_lines`, a JSON object a line: {"source", "line", "bytes", "why", "begins"}; no
/// file if there is nothing. Memory holds some 128 MiB of blocks, or the longest line, and their
/// ids. Throws DataError: a damaged source, one that changes while it is read, more bad lines than
/// allowed (at the end, or once 1,000 are bad and they are more than the share of those so far).
UnitRecord encode_unit(std::span<const CorpusSource> sources, const Tokenizer& tokenizer,
                       const EncodeOptions& options, const std::string& name,
                       const std::filesystem::path& corpus, const std::filesystem::path& bad_lines);

/// When the file was last written, in nanoseconds of the file system's clock.
std::int64_t modified_ns(const std::filesystem::path& path);

}  // namespace longconv::data
