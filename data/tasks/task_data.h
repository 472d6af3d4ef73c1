// What a run is trained and measured on, whatever data.task says it is.
#pragma once

#include "data/config.h"
#include "data/loader/loader.h"
#include "data/tasks/lm.h"
#include "data/tasks/task_shape.h"

#include <memory>
#include <string>
#include <vector>

namespace longconv::data {

struct TaskData {
  /// Of data without tokenizer and of a genome: its file for `folder`, no shards. A base is a token
  /// and a byte.
  Corpus corpus;
  TaskShape shape;
  std::shared_ptr<const Dataset> train;
  std::vector<std::shared_ptr<const Dataset>> stages;  ///< of each [[data.stage]]
  std::shared_ptr<const Dataset> validation;           ///< nullptr if there is none
  std::shared_ptr<const Dataset> test;                 ///< nullptr if there is none
  std::vector<std::string> classes;                    ///< names of the labels, if they have some
};

/// Opens all of it, data.seq_len being resolved; what evaluation does not need, if
/// `only_evaluation`, stays closed. Throws ConfigError, DataError.
TaskData open_task_data(const DataConfig& config, bool only_evaluation = false);

}  // namespace longconv::data
