// `longconv data prepare text`: documents to a corpus folder that training opens.
//
// The work is done in "<out>.partial", unit by unit (data/tasks/corpus_unit.h), and what is
// finished there is never done again: not after a kill, nor by another process. The last act is a
// rename to `out`, so what is there is whole. Made again from the same inputs it is left alone.
// What the corpus holds does not depend on threads, processes or interruptions.
#pragma once

#include "data/tasks/corpus_manifest.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace longconv::data {

inline constexpr char kBadLinesFile[] = "bad_lines.jsonl";

struct PrepareOptions {
  std::vector<std::string> sources;     ///< files (documents.h), folders of these, - for stdin
  std::vector<std::string> validation;  ///< the same, for validation only
  std::vector<std::string> holdout;     ///< FILE_NAME=SHARE (corpus_sources.h)
  double validation_share = 0.0;        ///< of the other documents (corpus_documents.h)
  std::int64_t split_seed = 2357;       ///< of that share; data.md 4.2
  bool lines = false;                   ///< a line of a text is a document
  std::int64_t document_chars = 0;      ///< keep so many characters of each document; 0 = all
  std::int64_t document_tokens = 0;     ///< and so many tokens, EOS not counted; 0 = all
  std::string tokenizer = "bytes";      ///< a name or path; "unigram:N", "bpe:N", "char:N" trains
  bool plain_specials = false;          ///< "<|endoftext|>" in a text is text like any other
  std::filesystem::path out;
  bool eos = true;         ///< append EOS to each document (data.md 4.2)
  double max_bad = 0.001;  ///< share of a unit's lines that may be bad; they are left out
  /// This process does every parts-th unit. The one that finds all finished makes the corpus.
  std::int64_t part = 1;
  std::int64_t parts = 1;
  /// A shard is closed when it has as many: 128 MiB of 16-bit ids. The last one is summed up when
  /// all other work is done, so it had better not be long.
  std::int64_t shard_tokens = std::int64_t{1} << 26;
  std::int64_t unit_bytes = std::int64_t{64} << 20;  ///< smaller sources share a unit
  /// That encode, beside one that reads and one that writes; 0 = one a processor. Never changes the
  /// result.
  std::int64_t threads = 0;
};

struct PrepareResult {
  Manifest manifest;     ///< of the corpus, if complete
  bool reused = false;   ///< the folder was there already
  bool complete = true;  ///< false: units of other parts are not finished
  std::int64_t units = 0;
  std::int64_t units_done = 0;    ///< finished, by whomever
  std::int64_t units_before = 0;  ///< of these, found finished
  double seconds = 0.0;
};

/// A tokenizer named N:V is trained on the training part alone, first gigabyte at most. Throws
/// UsageError, DataError (a bad source; a folder that holds something else; unfinished work made
/// with other options), EnvironmentError (also: another process does this part).
PrepareResult prepare_corpus(const PrepareOptions& options);

}  // namespace longconv::data
