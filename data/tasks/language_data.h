// What a language model is trained and measured on, whatever data.task says it is.
#pragma once

#include "data/config.h"
#include "data/loader/loader.h"
#include "data/tasks/lm.h"

#include <cstdint>
#include <memory>

namespace longconv::data {

struct LanguageData {
  /// Of a genome: its file for `folder`, no shards; a base is a token and a byte.
  Corpus corpus;
  std::shared_ptr<const Dataset> train;       ///< windows of data.seq_len inputs
  std::shared_ptr<const Dataset> validation;  ///< nullptr if there is none
};

/// Opens all of it; what training does not need, if `only_validation`, stays closed. Throws
/// ConfigError, DataError.
LanguageData open_language_data(const DataConfig& config, bool only_validation = false);

/// Ids of the tokenizer. Throws DataError.
std::int64_t vocab_size_of(const DataConfig& config);

}  // namespace longconv::data
