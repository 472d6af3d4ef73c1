#include "core/files/atomic_file.h"

#include "core/base/error.h"
#include "tests/core/files/child.h"
#include "tests/support/temp_folder.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace longconv::files {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::run_in_child;
using testing::TempFolder;

std::size_t entries(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(AtomicFile, AppearsOnlyWithCommitAndLeavesNothingElse) {
  const TempFolder folder;
  {
    AtomicFile file(folder / "a");
    file.write("hello");
    EXPECT_FALSE(std::filesystem::exists(folder / "a"));
    EXPECT_EQ(file.size(), 5U);
    file.commit();
    EXPECT_EQ(read_text(folder / "a"), "hello");
  }
  EXPECT_EQ(entries(folder.path()), 1U);
}

TEST(AtomicFile, WithoutCommitTheOldFileStaysAndTheNewOneGoes) {
  const TempFolder folder;
  write_atomic(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.write(std::string(1 << 20, 'x'));
    EXPECT_EQ(entries(folder.path()), 2U);
  }
  EXPECT_EQ(read_text(folder / "a"), "old");
  EXPECT_EQ(entries(folder.path()), 1U);
}

TEST(AtomicFile, KilledBeforeCommitTheOldFileStays) {
  const TempFolder folder;
  write_atomic(folder / "a", "old");
  const int status = run_in_child([&] {
    AtomicFile file(folder / "a");
    file.write(std::string(1 << 20, 'x'));
    return ::raise(SIGKILL);
  });
  EXPECT_EQ(status, -SIGKILL);
  EXPECT_EQ(read_text(folder / "a"), "old");
  write_atomic(folder / "a", "new");  // and what the dead one left does not stand in the way
  EXPECT_EQ(read_text(folder / "a"), "new");
}

TEST(AtomicFile, ManySmallAndLargeWritesKeepTheirOrder) {
  const TempFolder folder;
  std::string want;
  AtomicFile file(folder / "a");
  for (const std::size_t size : {1UL, 0UL, 100'000UL, 200'000UL, 7UL, 300'000UL, 262'144UL, 3UL}) {
    const std::string part(size, static_cast<char>('a' + want.size() % 26));
    file.write(part);
    want += part;
    EXPECT_EQ(file.size(), want.size());
  }
  file.write_at(2, bytes_of("XYZ"));
  want.replace(2, 3, "XYZ");
  file.write("end");
  want += "end";
  file.write_at(want.size() - 1, bytes_of("!"));
  want.back() = '!';
  file.commit();
  EXPECT_TRUE(read_text(folder / "a") == want);
}

TEST(AtomicFile, MisuseIsABugNotAHalfWrittenFile) {
  const TempFolder folder;
  AtomicFile file(folder / "a");
  file.write("abc");
  EXPECT_THROW(file.write_at(1, bytes_of("abc")), std::logic_error);
  EXPECT_THROW(file.write_at(SIZE_MAX, bytes_of("abc")), std::logic_error);
  file.commit();
  EXPECT_THROW(file.write("d"), std::logic_error);
  EXPECT_THROW(file.commit(), std::logic_error);
  EXPECT_EQ(read_text(folder / "a"), "abc");
}

TEST(AtomicFile, TwoWritersOfOneNameDoNotMix) {
  const TempFolder folder;
  AtomicFile first(folder / "a");
  AtomicFile second(folder / "a");
  first.write("first");
  second.write("second");
  first.commit();
  EXPECT_EQ(read_text(folder / "a"), "first");
  second.commit();
  EXPECT_EQ(read_text(folder / "a"), "second");
  EXPECT_EQ(entries(folder.path()), 1U);
}

/// A limit on the file's size stands for the full disk: both fail inside write(2), after a part.
TEST(AtomicFile, NoSpaceIsAnEnvironmentErrorAndTheOldFileStays) {
  const TempFolder folder;
  write_atomic(folder / "a", "old");
  const int status = run_in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 10;
    for (const std::size_t size : {150'000UL, 1'000'000UL}) {  // fails in commit(), and in write()
      try {
        write_atomic(folder / "a", std::string(size, 'x'));
        return 11;
      } catch (const EnvironmentError& error) {
        const std::string words = error.what();
        const std::string want = (folder / "a").string() + ": cannot write: File too large";
        if (words != want) return 12;
      }
    }
    return 0;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_text(folder / "a"), "old");
  EXPECT_EQ(entries(folder.path()), 1U);
}

TEST(AtomicFile, UnwritablePlacesAreEnvironmentErrorsWithTheSystemsWords) {
  const TempFolder folder;
  write_atomic(folder / "file", "x");
  const auto words = [](const std::filesystem::path& path) {
    return message_of<EnvironmentError>([&] { write_atomic(path, "x"); });
  };
  const std::string through_file = (folder / "file").string() + "/a";
  const std::string missing = (folder / "none").string() + "/a";
  EXPECT_EQ(words(through_file), through_file + ": cannot write: Not a directory");
  EXPECT_EQ(words(missing), missing + ": cannot write: No such file or directory");
  EXPECT_THAT(words("/proc/longconv"), HasSubstr("/proc/longconv: cannot write: "));
  const std::string long_name = folder / std::string(300, 'n');
  EXPECT_EQ(words(long_name), long_name + ": cannot write: File name too long");
}

TEST(AtomicFile, AFolderOrDeviceIsNotReplaced) {
  const TempFolder folder;
  EXPECT_EQ(message_of<EnvironmentError>([&] { AtomicFile file(folder.path()); }),
            folder.path().string() + ": cannot write here: it is a folder, not a file");
  EXPECT_EQ(message_of<EnvironmentError>([] { write_atomic("/dev/null", "x"); }),
            "/dev/null: cannot write here: it is a device or pipe, not a file");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(AtomicFile, HonoursTheUmask) {
  const TempFolder folder;
  const mode_t before = ::umask(027);
  write_atomic(folder / "a", "x");
  ::umask(before);
  struct stat status {};
  ASSERT_EQ(::stat((folder / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640U);
}

TEST(ReadText, GivesTheBytesAsTheyAre) {
  const TempFolder folder;
  std::string text("\r\n\0\xff", 4);
  text += std::string(200'000, 'z');
  write_atomic(folder / "a", text);
  EXPECT_TRUE(read_text(folder / "a") == text);
  write_atomic(folder / "empty", "");
  EXPECT_EQ(read_text(folder / "empty"), "");
}

TEST(ReadText, WhatCannotBeReadIsADataError) {
  const TempFolder folder;
  const auto words = [](const std::filesystem::path& path) {
    return message_of<DataError>([&] { static_cast<void>(read_text(path)); });
  };
  const std::string missing = folder / "none";
  EXPECT_EQ(words(missing), missing + ": cannot open: No such file or directory");
  EXPECT_EQ(words(folder.path()), folder.path().string() + ": cannot read: Is a directory");
}

TEST(ReadText, TheLimitIsExact) {
  const TempFolder folder;
  write_atomic(folder / "a", "12345");
  EXPECT_EQ(read_text(folder / "a", 5), "12345");
  EXPECT_EQ(message_of<DataError>([&] { static_cast<void>(read_text(folder / "a", 4)); }),
            (folder / "a").string() + ": expected at most 4 bytes, the file is larger");
  // A device without end and without a size must not fill the memory.
  EXPECT_THROW(static_cast<void>(read_text("/dev/zero", 1 << 20)), DataError);
}

TEST(CreateFolders, MakesParentsAndTakesWhatIsThere) {
  const TempFolder folder;
  create_folders(folder / "a/b/c");
  create_folders(folder / "a/b/c");
  EXPECT_TRUE(std::filesystem::is_directory(folder / "a/b/c"));
}

TEST(CreateFolders, AFileInTheWayIsAnEnvironmentError) {
  const TempFolder folder;
  write_atomic(folder / "file", "x");
  for (const char* name : {"file", "file/a", "file/a/b"}) {
    const std::string path = folder / name;
    EXPECT_EQ(message_of<EnvironmentError>([&] { create_folders(path); }),
              path + ": cannot create the folder: Not a directory");
  }
}

TEST(SyncFolder, NeedsAFolder) {
  const TempFolder folder;
  EXPECT_NO_THROW(sync_folder(folder.path()));
  EXPECT_THAT(message_of<EnvironmentError>([&] { sync_folder(folder / "none"); }),
              HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace longconv::files
