// One training run in a process of its own, for tests that end it from outside.
//
//   train_child [--file-limit BYTES] CONFIG [key=value ...]
#include "core/base/error.h"
#include "core/runtime/device.h"
#include "train/loop/trainer.h"

#include <signal.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  using namespace longconv;
  runtime::prepare_threads();
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() > 2 && arguments[0] == "--file-limit") {
    // Writing past the limit fails with EFBIG, as it fails with ENOSPC on a full disk.
    const rlimit limit{std::stoul(arguments[1]), std::stoul(arguments[1])};
    ::signal(SIGXFSZ, SIG_IGN);
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return EXIT_FAILURE;
    arguments.erase(arguments.begin(), arguments.begin() + 2);
  }
  if (arguments.empty()) return static_cast<int>(ExitCode::usage);
  try {
    train::RunConfig config;
    train::Launch launch;
    launch.config_path = arguments[0];
    launch.overrides.assign(arguments.begin() + 1, arguments.end());
    config::load(config, launch.config_path);
    for (const std::string& text : launch.overrides) config::apply_override(config, text);
    return static_cast<int>(train::train(config, launch).code);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.code());
  }
}
