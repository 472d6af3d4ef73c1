// A fresh folder for one test, gone with all it holds at the end, and the words of an error.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>

namespace longconv::testing {

class TempFolder {
 public:
  TempFolder() {
    std::string name = ::testing::TempDir() + "/longconv-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed: " + name);
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

/// what() of the E that `call` throws; a test failure, and empty, if it throws none. Another type
/// of error passes through and fails the test by itself.
template <class E, class Call>
std::string message_of(Call&& call) {
  try {
    std::forward<Call>(call)();
  } catch (const E& error) {
    return error.what();
  }
  ADD_FAILURE() << "expected an error, nothing was thrown";
  return {};
}

}  // namespace longconv::testing
