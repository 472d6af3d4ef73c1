#include "core/files/lock_file.h"

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "tests/core/files/child.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <memory>
#include <optional>
#include <string>

namespace longconv::files {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::TempFolder;

TEST(LockFile, NamesItsHolderAndGoesWithIt) {
  const TempFolder folder;
  {
    const LockFile lock(folder / "lock");
    EXPECT_THAT(read_text(folder / "lock"),
                ::testing::StartsWith("pid " + std::to_string(::getpid()) + "\nhost "));
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "lock"));
  EXPECT_NO_THROW(LockFile(folder / "lock"));
}

TEST(LockFile, ASecondHolderIsRefusedWithThePidOfTheFirst) {
  const TempFolder folder;
  const LockFile lock(folder / "lock");
  const std::string words = message_of<EnvironmentError>([&] { LockFile(folder / "lock"); });
  EXPECT_THAT(words, ::testing::StartsWith((folder / "lock").string() +
                                           ": the folder is in use by a live process (pid " +
                                           std::to_string(::getpid()) + ", host "));
  EXPECT_TRUE(std::filesystem::exists(folder / "lock")) << "the refused one takes nothing away";
  EXPECT_THROW(LockFile(folder / "lock"), EnvironmentError) << "nor does its refusal open the door";
}

TEST(LockFile, AnotherProcessIsRefusedWhileThisOneLives) {
  const TempFolder folder;
  auto lock = std::make_unique<LockFile>(folder / "lock");
  const std::string mine = "pid " + std::to_string(::getpid()) + ",";
  const auto attempt = [&] {
    try {
      const LockFile second(folder / "lock");
      return 0;
    } catch (const EnvironmentError& error) {
      return std::string(error.what()).find(mine) != std::string::npos ? 1 : 2;
    }
  };
  EXPECT_EQ(testing::run_in_child(attempt), 1);
  lock.reset();
  EXPECT_EQ(testing::run_in_child(attempt), 0);
}

TEST(LockFile, DeathReleasesItAndTheFileLeftBehindLocksNobodyOut) {
  const TempFolder folder;
  const int status = testing::run_in_child([&] {
    const LockFile lock(folder / "lock");
    return ::raise(SIGKILL);
  });
  EXPECT_EQ(status, -SIGKILL);
  EXPECT_TRUE(std::filesystem::exists(folder / "lock"));
  const LockFile lock(folder / "lock");
  EXPECT_THAT(read_text(folder / "lock"), HasSubstr("pid " + std::to_string(::getpid()) + "\n"));
}

TEST(LockFile, AForkedChildThatEndsLeavesTheLockAlone) {
  const TempFolder folder;
  std::optional<LockFile> lock(std::in_place, folder / "lock");
  EXPECT_EQ(testing::run_in_child([&] {
              lock.reset();
              return 0;
            }),
            0);
  EXPECT_TRUE(std::filesystem::exists(folder / "lock"));
  EXPECT_THROW(LockFile(folder / "lock"), EnvironmentError);
}

TEST(LockFile, AForeignFileIsTakenOver) {
  const TempFolder folder;
  write_atomic(folder / "lock",
               "pid 1\nhost elsewhere, and a longer line than ours will be ....\n");
  const LockFile lock(folder / "lock");
  EXPECT_THAT(read_text(folder / "lock"), ::testing::Not(HasSubstr("elsewhere")));
}

TEST(LockFile, UnwritablePlacesAreEnvironmentErrorsWithTheSystemsWords) {
  const TempFolder folder;
  write_atomic(folder / "file", "x");
  const std::string path = (folder / "file").string() + "/lock";
  EXPECT_EQ(message_of<EnvironmentError>([&] { LockFile lock(path); }),
            path + ": cannot open the lock: Not a directory");
}

}  // namespace
}  // namespace longconv::files
