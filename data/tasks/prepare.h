// `longconv data prepare`: documents to a corpus folder that training opens.
//
// The folder is written beside its final name and renamed when it is complete, so what is there is
// whole. Made again from the same inputs it is left alone.
#pragma once

#include "data/tasks/corpus_manifest.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace longconv::data {

struct PrepareOptions {
  std::vector<std::string> sources;     ///< .txt, .jsonl, .jsonl.zst, folders of these, - for stdin
  std::vector<std::string> validation;  ///< the same, for validation only
  std::vector<std::string> holdout;     ///< FILE_NAME=SHARE (corpus_sources.h)
  std::string tokenizer = "bytes";      ///< "bytes"; "unigram:N", "bpe:N", "char:N"; or a path
  std::filesystem::path out;
  bool eos = true;                                    ///< append EOS to each document (data.md 4.2)
  std::int64_t shard_tokens = std::int64_t{1} << 28;  ///< a shard is closed when it has as many
  std::int64_t threads = 0;  ///< 0 = one a processor. Never changes the result
};

struct PrepareResult {
  Manifest manifest;
  bool reused = false;  ///< the folder was there already
  double seconds = 0.0;
};

/// A tokenizer named N:V is trained on the training part alone, first gigabyte at most. Throws
/// UsageError, DataError (a bad source; a folder that holds something else), EnvironmentError.
PrepareResult prepare_corpus(const PrepareOptions& options);

}  // namespace longconv::data
