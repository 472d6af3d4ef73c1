// Runs code in a forked child: for limits, signals and deaths that must not meet the tests' own
// process.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace longconv::testing {

/// Exit status of the child that ran `call` and returned its int, or -signal if one killed it.
template <class Call>
int run_in_child(Call&& call) {
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 125;
    try {
      status = std::forward<Call>(call)();
    } catch (...) {  // the child must never come back into the test program
    }
    ::_exit(status);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace longconv::testing
