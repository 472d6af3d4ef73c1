// Any text either is a configuration, which printed and read again prints the same, or a
// ConfigError; and so for one command-line override.
#include "core/base/error.h"
#include "core/config/section.h"
#include "tests/core/config/small_config.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>
#include <string>
#include <string_view>

namespace {

using longconv::config::SmallConfig;
using longconv::fuzz::promise;

void check_round_trip(const SmallConfig& config) {
  const std::string printed = longconv::config::print(config);
  SmallConfig back;
  longconv::config::parse(back, printed, "printed");  // a ConfigError here is a finding
  promise(longconv::config::print(back) == printed, "printing what was printed gives the same");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  SmallConfig from_file;
  bool good = true;
  try {
    longconv::config::parse(from_file, text, "input");
  } catch (const longconv::ConfigError& error) {
    good = false;
    promise(std::strncmp(error.what(), "input:", 6) == 0, "an error names the file");
  }
  if (good) check_round_trip(from_file);

  SmallConfig overridden;
  good = true;
  try {
    longconv::config::apply_override(overridden, text);
  } catch (const longconv::ConfigError& error) {
    good = false;
    promise(std::strncmp(error.what(), "override \"", 10) == 0, "an error names the override");
  }
  if (good) check_round_trip(overridden);
  return 0;
}
