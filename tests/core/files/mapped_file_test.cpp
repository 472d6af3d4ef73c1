#include "core/files/mapped_file.h"

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace longconv::files {
namespace {

using testing::message_of;
using testing::TempFolder;

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(MappedFile, ShowsTheBytesOfTheFile) {
  const TempFolder folder;
  const std::string text(10'000, 'q');
  write_atomic(folder / "a", text);
  const MappedFile file(folder / "a");
  file.advise_random();
  file.advise_sequential();
  EXPECT_EQ(text_of(file), text);
  EXPECT_EQ(file.path(), folder / "a");
}

TEST(MappedFile, AnEmptyFileIsAnEmptySpan) {
  const TempFolder folder;
  write_atomic(folder / "a", "");
  const MappedFile file(folder / "a");
  file.advise_random();
  EXPECT_TRUE(file.bytes().empty());
}

TEST(MappedFile, MovesWithItsMapping) {
  const TempFolder folder;
  write_atomic(folder / "a", "aaa");
  write_atomic(folder / "b", "bbbb");
  MappedFile a(folder / "a");
  const std::byte* const where = a.bytes().data();
  MappedFile moved(std::move(a));
  EXPECT_EQ(moved.bytes().data(), where);
  MappedFile b(folder / "b");
  b = std::move(moved);
  EXPECT_EQ(text_of(b), "aaa");
  EXPECT_EQ(b.path(), folder / "a");
}

TEST(MappedFile, OutlivesTheNameOfItsFile) {
  const TempFolder folder;
  write_atomic(folder / "a", "old");
  const MappedFile file(folder / "a");
  write_atomic(folder / "a", "new, and longer");
  EXPECT_EQ(text_of(file), "old") << "an atomic write replaces the name, never the mapped bytes";
}

TEST(MappedFile, WhatCannotBeMappedIsADataError) {
  const TempFolder folder;
  const auto words = [](const std::filesystem::path& path) {
    return message_of<DataError>([&] { MappedFile file(path); });
  };
  const std::string missing = folder / "none";
  EXPECT_EQ(words(missing), missing + ": cannot open: No such file or directory");
  EXPECT_EQ(words(folder.path()), folder.path().string() + ": expected a file, found a folder");
  EXPECT_EQ(words("/dev/zero"), "/dev/zero: expected a file, found a device or pipe");
}

}  // namespace
}  // namespace longconv::files
