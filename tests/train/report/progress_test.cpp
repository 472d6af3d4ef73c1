#include "train/report/progress.h"

#include "core/base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <thread>

namespace longconv::train {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const ProgressState kState{120, 3.214, 81234.0, 1'200'000'000};

TEST(ProgressLine, ShowsEverythingOnAWideTerminal) {
  EXPECT_EQ(Progress::line(kState, 0, 600, 20.0, 200),
            "[========>                               ] 120/600 loss 3.214 81.2k tok/s ETA 1:20 "
            "mem 1.2 GB");
}

TEST(ProgressLine, TheBarShrinksThenPartsGo) {
  EXPECT_EQ(Progress::line(kState, 0, 600, 20.0, 80),
            "[=====>                    ] 120/600 loss 3.214 81.2k tok/s ETA 1:20 mem 1.2 GB");
  EXPECT_EQ(Progress::line(kState, 0, 600, 20.0, 60),
            "[===>             ] 120/600 loss 3.214 81.2k tok/s ETA 1:20");
  EXPECT_EQ(Progress::line(kState, 0, 600, 20.0, 50),
            "[===>               ] 120/600 loss 3.214 ETA 1:20");
  EXPECT_EQ(Progress::line(kState, 0, 600, 20.0, 30), "120/600 loss 3.214 ETA 1:20");
  EXPECT_EQ(Progress::line(kState, 0, 600, 20.0, 20), "120/600 ETA 1:20");
  EXPECT_EQ(Progress::line(kState, 0, 600, 20.0, 10), "120/600");
}

TEST(ProgressLine, NeverReachesTheLastColumn) {
  for (int width = 0; width < 120; ++width) {
    const auto size = static_cast<int>(Progress::line(kState, 0, 600, 20.0, width).size());
    EXPECT_LE(size, std::max(width - 1, 0)) << width;
  }
}

TEST(ProgressLine, LeavesOutWhatIsNotKnown) {
  EXPECT_EQ(Progress::line({0, std::nan(""), 0.0, 0}, 0, 600, 0.0, 30),
            "[>                    ] 0/600");
}

TEST(ProgressLine, EstimatesFromTheStepsOfThisProcess) {
  // Resumed at 100: 20 steps took 10 s, so the 480 that are left take 240 s.
  EXPECT_THAT(Progress::line({120, 1.0, 0.0, 0}, 100, 600, 10.0, 100), HasSubstr("ETA 4:00"));
  EXPECT_THAT(Progress::line({600, 1.0, 0.0, 0}, 0, 600, 50.0, 40), HasSubstr("[======="));
  EXPECT_THAT(Progress::line({600, 1.0, 0.0, 0}, 0, 600, 50.0, 40), Not(HasSubstr(">")));
}

// A pseudo-terminal in place of stderr; what was written to it is read at the end.
class Terminal {
 public:
  Terminal() : master_(::posix_openpt(O_RDWR | O_NOCTTY)), saved_(::dup(STDERR_FILENO)) {
    ok_ = master_ >= 0 && ::grantpt(master_) == 0 && ::unlockpt(master_) == 0;
    const int slave = ok_ ? ::open(::ptsname(master_), O_RDWR | O_NOCTTY) : -1;
    ok_ = ok_ && slave >= 0;
    if (!ok_) return;
    const winsize size{24, 60, 0, 0};
    ::ioctl(slave, TIOCSWINSZ, &size);
    ::dup2(slave, STDERR_FILENO);
    ::close(slave);
    ::setenv("TERM", "xterm", 1);
  }
  ~Terminal() {
    restore();
    ::close(master_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  [[nodiscard]] bool ok() const { return ok_; }

  std::string written() {
    std::fflush(stderr);
    ::fcntl(master_, F_SETFL, O_NONBLOCK);
    restore();
    std::string text;
    std::array<char, 4096> block{};
    for (ssize_t n = 0; (n = ::read(master_, block.data(), block.size())) > 0;) {
      text.append(block.data(), static_cast<std::size_t>(n));
    }
    return text;
  }

 private:
  void restore() {
    if (saved_ < 0) return;
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
    saved_ = -1;
  }
  int master_;
  int saved_;
  bool ok_ = false;
};

int count(const std::string& text, const std::string& part) {
  int n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(Progress, MakesRoomForMessagesOnATerminal) {
  Terminal terminal;
  if (!terminal.ok()) GTEST_SKIP() << "no pseudo-terminal here";
  {
    Progress progress(0, 600, true);
    progress.update(kState);
    log::info("a message");
    progress.finish();
  }
  const std::string text = terminal.written();
  const std::string line = "[===>             ] 120/600 loss 3.214 81.2k tok/s ETA";
  // Drawn, cleared, the message, drawn again; once more by finish().
  const std::size_t first = text.find("\r" + line);
  ASSERT_NE(first, std::string::npos) << text;
  const std::size_t cleared = text.find("\r\033[K", first + 1);
  const std::size_t message = text.find("a message");
  ASSERT_NE(message, std::string::npos) << text;
  EXPECT_LT(first, cleared);
  EXPECT_LT(cleared, message);
  EXPECT_NE(text.find("\r" + line, message), std::string::npos) << text;
  EXPECT_EQ(text.back(), '\n');
}

TEST(Progress, RedrawsAtMostTenTimesASecond) {
  Terminal terminal;
  if (!terminal.ok()) GTEST_SKIP() << "no pseudo-terminal here";
  const auto start = std::chrono::steady_clock::now();
  {
    Progress progress(0, 2000, true);
    for (int step = 1; step < 2000; ++step) {
      progress.update({step, 1.0, 0.0, 0});
      if (step % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    progress.update({2000, 1.0, 0.0, 0});
  }
  const double elapsed =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const std::string text = terminal.written();
  EXPECT_GE(count(text, "loss"), 2);
  EXPECT_LE(count(text, "loss"), static_cast<int>(elapsed * 10.0) + 2);
  EXPECT_THAT(text, HasSubstr("2000/2000")) << "the last step is always drawn";
  EXPECT_TRUE(text.ends_with("\r\033[K")) << "the destructor clears the line";
}

TEST(Progress, DrawsNothingWhereItIsNotWanted) {
  Terminal terminal;
  if (!terminal.ok()) GTEST_SKIP() << "no pseudo-terminal here";
  {
    Progress progress(0, 600, false);
    progress.update(kState);
    progress.finish();
  }
  EXPECT_EQ(terminal.written(), "");
}

TEST(Progress, DrawsNothingIntoAFile) {
  ::testing::internal::CaptureStderr();
  {
    Progress progress(0, 600, true);
    progress.update(kState);
    progress.finish();
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace longconv::train
