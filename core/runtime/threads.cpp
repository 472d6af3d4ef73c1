#include "core/runtime/device.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace longconv::runtime {
namespace {

/// This process's arguments, as the kernel keeps them: each ended by a zero byte.
std::vector<std::string> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<std::string> arguments;
  for (std::size_t begin = 0; begin < bytes.size();) {
    const std::size_t end = bytes.find('\0', begin);
    arguments.push_back(bytes.substr(begin, end - begin));
    begin = end == std::string::npos ? bytes.size() : end + 1;
  }
  return arguments;
}

}  // namespace

// libgomp spins while it waits: beside one other busy process on 2 cores, 2 threads fall to a
// thirtieth of their speed. It reads its policy when it is loaded, before main(), so the program
// has to start again with the policy in its environment.
void prepare_threads() {
  constexpr const char* kPolicy = "OMP_WAIT_POLICY";
  constexpr const char* kMarker = "LONGCONV_RESTARTED";  // never twice, whatever happens
  if (std::getenv(kPolicy) != nullptr || std::getenv(kMarker) != nullptr) {
    unsetenv(kMarker);  // children start for themselves
    return;
  }
  std::vector<std::string> arguments = own_arguments();
  if (arguments.empty()) {
    return;  // no /proc: slower beside busy neighbours, but right
  }
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  setenv(kPolicy, "passive", 1);
  setenv(kMarker, "1", 1);
  execv("/proc/self/exe", argv.data());
  unsetenv(kMarker);  // it failed: carry on as we are
}

}  // namespace longconv::runtime
