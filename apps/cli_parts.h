// What the units of the command line (cli*.cpp, which alone include CLI11) share.
#pragma once

#include "core/base/error.h"
#include "core/runtime/device.h"

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace longconv::apps {

/// What the parsed command line asks for; empty if it was only help or the version.
using Action = std::function<ExitCode()>;

/// For commands that compute: prepare_threads() may start the program again, which costs 0.3 s that
/// `--help`, `inspect` and the like need not wait for. Nothing has been done or read before.
template <class Command>
Action computing(Command command) {
  return [command] {
    runtime::prepare_threads();
    return command();
  };
}

/// A subcommand of `parent`; `footer` is the end of its help.
CLI::App* command(CLI::App& parent, const std::string& name, const std::string& help,
                  const std::string& footer);

void add_json(CLI::App* app, bool& json);
void add_overrides(CLI::App* app, std::vector<std::string>& overrides);

/// longconv data, with its subcommands (cli_data.cpp).
void add_data(CLI::App& program, Action& action);

}  // namespace longconv::apps
