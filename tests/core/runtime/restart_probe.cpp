// Prints OpenMP's wait policy, whether the restart's marker is left, and the arguments, one a line.
#include "core/runtime/device.h"

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  longconv::runtime::prepare_threads();
  const char* policy = std::getenv("OMP_WAIT_POLICY");
  std::puts(policy != nullptr ? policy : "none");
  std::puts(std::getenv("LONGCONV_RESTARTED") != nullptr ? "marked" : "unmarked");
  for (int i = 1; i < argc; ++i) {
    std::puts(argv[i]);
  }
  return 0;
}
