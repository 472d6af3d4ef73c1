#include "core/base/log.h"

#include "core/base/error.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace longconv {
namespace {

using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Every test starts from, and leaves behind, the text format at level info and no hooks.
class Log : public ::testing::Test {
 protected:
  Log() { log::init(log::Format::text); }
  ~Log() override {
    log::set_hooks({}, {});
    log::init(log::Format::text);
  }
  testing::TempFolder folder_;
};

TEST_F(Log, WritesToStderrAndNothingToStdout) {
  CaptureStderr();
  ::testing::internal::CaptureStdout();
  log::warn("{} of {}", 3, 4);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(GetCapturedStderr(), "W 3 of 4\n");
}

TEST_F(Log, HidesWhatIsBelowItsLevel) {
  CaptureStderr();
  log::debug("hidden");
  log::init(log::Format::text, log::Level::debug);
  log::debug("shown");
  log::init(log::Format::text, log::Level::error);
  log::warn("hidden");
  EXPECT_EQ(GetCapturedStderr(), "D shown\n");
}

TEST_F(Log, BracesInAMessageAreNoFormat) {
  CaptureStderr();
  log::write(log::Level::info, "a {} b {0}");
  EXPECT_EQ(GetCapturedStderr(), "I a {} b {0}\n");
}

TEST_F(Log, JsonHasOneEscapedObjectALine) {
  log::init(log::Format::json);
  CaptureStderr();
  log::error("say \"hi\"\\\n");
  const std::string line = GetCapturedStderr();
  EXPECT_THAT(line, HasSubstr(R"("level":"error","message":"say \"hi\"\\\u000a"})"));
  EXPECT_THAT(line, ::testing::StartsWith("{\"time\":\""));
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
}

TEST_F(Log, FileGetsTextAlsoWhenTheConsoleSpeaksJson) {
  log::init(log::Format::json);
  CaptureStderr();
  const auto remove = log::add_file(folder_ / "log.txt");
  log::info("with \"quotes\"");
  remove();
  log::info("after");
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("after"));
  EXPECT_THAT(content(folder_ / "log.txt"), ::testing::EndsWith(" I with \"quotes\"\n"));
}

TEST_F(Log, FileIsContinuedNotReplaced) {
  CaptureStderr();
  for (const char* word : {"first", "second"}) {
    const auto remove = log::add_file(folder_ / "two.txt");
    log::info("{}", word);
    remove();
  }
  GetCapturedStderr();
  EXPECT_THAT(content(folder_ / "two.txt"), HasSubstr("first"));
  EXPECT_THAT(content(folder_ / "two.txt"), HasSubstr("second"));
}

TEST_F(Log, FileThatCannotBeOpenedIsAnEnvironmentError) {
  std::ofstream(folder_ / "file") << "x";
  const std::string path = (folder_ / "file").string() + "/log.txt";
  EXPECT_THAT(testing::message_of<EnvironmentError>([&] { log::add_file(path); }), HasSubstr(path));
}

TEST_F(Log, FullDiskEndsTheFileNotTheRun) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  const auto remove = log::add_file("/dev/full");
  CaptureStderr();
  log::info("first");
  log::info("second");
  const std::string text = GetCapturedStderr();
  remove();
  EXPECT_THAT(text, ::testing::StartsWith("I first\nE "));
  EXPECT_THAT(text, HasSubstr("/dev/full"));
  EXPECT_THAT(text, ::testing::EndsWith("\nI second\n")) << "said once, then left out";
}

TEST_F(Log, HooksRunAroundEachMessage) {
  log::set_hooks([] { std::fputs("<", stderr); }, [] { std::fputs(">", stderr); });
  CaptureStderr();
  log::info("x");
  EXPECT_EQ(GetCapturedStderr(), "<I x\n>");
}

TEST_F(Log, LinesOfThreadsStayWhole) {
  CaptureStderr();
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 100; ++i) log::info("{}", std::string(200, 'x'));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::istringstream lines(GetCapturedStderr());
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_EQ(line, "I " + std::string(200, 'x'));
  }
  EXPECT_EQ(count, 400);
}

}  // namespace
}  // namespace longconv
