// longconv: the program. Turns every error into one paragraph on stderr and its exit code.
#include "apps/cli.h"
#include "core/base/error.h"
#include "core/base/log.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <new>
#include <string>
#include <string_view>

namespace {

using longconv::ExitCode;

int fail(ExitCode code, const std::string& message) {
  longconv::log::error("{}", message);
  return static_cast<int>(code);
}

// LibTorch reports a lack of memory in several ways: its own class for the caching allocator, and
// plain errors from the CPU allocator and the CUDA libraries.
bool is_out_of_memory(const c10::Error& error) {
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  constexpr std::array<std::string_view, 5> kWords{
      "DefaultCPUAllocator", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED",
      "CUFFT_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"};
  const std::string_view text = error.what_without_backtrace();
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return text.find(word) != text.npos; });
}

constexpr const char* kMemoryHint =
    "out of memory: {}\n  try a smaller data.micro_batch (with train.accumulate to keep the "
    "batch), "
    "data.seq_len or model.d_model";
constexpr const char* kReport =
    "this is a bug in longconv: {}\n  please report it with the command, the configuration and the "
    "output of `longconv doctor`";

int guarded(int argc, const char* const* argv) {
  try {
    return static_cast<int>(longconv::apps::run(argc, argv));
  } catch (const longconv::ShapeError& error) {
    return fail(error.code(), fmt::format(kReport, error.what()));
  } catch (const longconv::Error& error) {
    return fail(error.code(), error.what());
  } catch (const std::bad_alloc& error) {
    return fail(ExitCode::out_of_memory, fmt::format(kMemoryHint, error.what()));
  } catch (const std::filesystem::filesystem_error& error) {
    return fail(ExitCode::environment, error.what());
  } catch (const c10::Error& error) {
    if (is_out_of_memory(error)) {
      return fail(ExitCode::out_of_memory,
                  fmt::format(kMemoryHint, error.what_without_backtrace()));
    }
    return fail(ExitCode::bug, fmt::format(kReport, error.what()));
  } catch (const std::exception& error) {
    return fail(ExitCode::bug, fmt::format(kReport, error.what()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  // With a limit on file sizes (ulimit -f) a write shall fail as on a full disk, not kill us.
  std::signal(SIGXFSZ, SIG_IGN);
  const int code = guarded(argc, argv);
  // A result that did not reach its file (full disk, closed pipe) must not look like a success.
  if (std::fflush(stdout) != 0 && code == 0) {
    return fail(ExitCode::environment,
                "cannot write the result to stdout: disk full or pipe closed");
  }
  return code;
}
