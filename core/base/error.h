// Every error the program can explain, and the exit code each kind ends with.
//
// A message answers four questions: where, what was wanted, what came, what next. main() catches
// longconv::Error, prints it and returns its code; anything else is a bug of ours (code 1).
#pragma once

#include <stdexcept>
#include <string>

namespace longconv {

/// What the process returns. Users' scripts rely on the numbers.
enum class ExitCode : int {
  ok = 0,
  bug = 1,
  usage = 2,
  config = 3,
  data = 4,
  checkpoint = 5,
  out_of_memory = 6,
  non_finite = 7,
  environment = 8,
  interrupted_saved = 75,
  interrupted = 130,
};

/// Base of all errors with an explanation for the user.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// One class per kind, so that a test can name what it expects.
template <ExitCode kCode, class Tag>
class ErrorOf : public Error {
 public:
  explicit ErrorOf(const std::string& message) : Error(kCode, message) {}
};

using UsageError = ErrorOf<ExitCode::usage, struct UsageTag>;     ///< command line
using ConfigError = ErrorOf<ExitCode::config, struct ConfigTag>;  ///< TOML file, override
using DataError = ErrorOf<ExitCode::data, struct DataTag>;        ///< data set, shard, tokenizer
using CheckpointError =
    ErrorOf<ExitCode::checkpoint, struct CheckpointTag>;  ///< weights, checkpoint
using MemoryError = ErrorOf<ExitCode::out_of_memory, struct MemoryTag>;
using NonFiniteError = ErrorOf<ExitCode::non_finite, struct NonFiniteTag>;  ///< loss is nan or inf
using EnvironmentError =
    ErrorOf<ExitCode::environment, struct EnvironmentTag>;  ///< disk, permission, lock, GPU
using CudaError = ErrorOf<ExitCode::environment, struct CudaTag>;
using UnsupportedError =
    ErrorOf<ExitCode::environment, struct UnsupportedTag>;   ///< no kernel for this
using ShapeError = ErrorOf<ExitCode::bug, struct ShapeTag>;  ///< an operator's arguments
using InterruptedError = ErrorOf<ExitCode::interrupted, struct InterruptedTag>;

}  // namespace longconv
