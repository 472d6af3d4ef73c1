// Runs ended from outside: SIGKILL at any moment, SIGTERM, a full disk.
#include "core/files/atomic_file.h"
#include "tests/train/loop/tiny_run.h"
#include "train/checkpoint/folder.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <random>
#include <thread>

extern char** environ;

namespace longconv::train::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// train_child with `arguments`, stderr into `log`.
class Child {
 public:
  Child(std::vector<std::string> arguments, const fs::path& log) {
    arguments.insert(arguments.begin(), LONGCONV_TRAIN_CHILD);
    std::vector<char*> argv;
    for (std::string& text : arguments) argv.push_back(text.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0644);
    const int status = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (status != 0) throw std::runtime_error("cannot start " + arguments[0]);
  }
  ~Child() {
    if (!alive()) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool alive() {
    if (!ended_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
    return !ended_;
  }
  /// Its exit code, or minus the signal that ended it.
  int wait() {
    if (!ended_) ::waitpid(pid_, &status_, 0);
    ended_ = true;
    return WIFSIGNALED(status_) ? -WTERMSIG(status_) : WEXITSTATUS(status_);
  }
  int end(int signal_number) {
    if (!ended_) ::kill(pid_, signal_number);
    return wait();
  }
  /// Polls until `condition` holds; false if the child ended first.
  bool until(const std::function<bool()>& condition) {
    while (!condition()) {
      if (!alive()) return false;
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    return true;
  }

 private:
  pid_t pid_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

/// Step that `latest` points at, or -1.
std::int64_t latest_step(const fs::path& checkpoints) {
  std::error_code error;
  return step_of(fs::read_symlink(checkpoints / "latest", error).filename().string());
}

bool writing(const fs::path& checkpoints, pid_t writer) {
  const std::string end = ".tmp-" + std::to_string(writer);
  std::error_code error;
  for (auto entry = fs::directory_iterator(checkpoints, error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.rfind("step_", 0) == 0 && name.size() > end.size() &&
        name.compare(name.size() - end.size(), end.size(), end) == 0) {
      return true;
    }
  }
  return false;
}

std::vector<std::string> arguments_of(const TinyRuns& runs, const std::string& name,
                                      std::vector<std::string> overrides) {
  overrides.insert(overrides.begin(),
                   {runs.config().string(), "run.dir=" + runs.run(name).string()});
  return overrides;
}

TEST(Kill, TwentyRunsKilledAtRandomMomentsEndBitForBitAsTheUndisturbedOne) {
  const TinyRuns runs;
  const std::vector<std::string> overrides = {"schedule.max_steps=110", "train.checkpoint_every=1",
                                              "train.eval_every=20", "train.log_every=7"};
  Child undisturbed(arguments_of(runs, "whole", overrides), runs.path() / "log");
  ASSERT_EQ(undisturbed.wait(), 0) << files::read_text(runs.path() / "log");

  std::mt19937 random(20);
  const fs::path checkpoints = runs.checkpoints("killed");
  int kills = 0;
  int while_writing = 0;
  while (kills < 20) {
    Child child(arguments_of(runs, "killed", overrides), runs.path() / "log");
    // After some progress, so that twenty lives are shorter than the run however fast the machine.
    const std::int64_t goal = latest_step(checkpoints) + static_cast<std::int64_t>(random() % 4);
    ASSERT_TRUE(child.until([&] {
      return latest_step(checkpoints) >= goal && fs::exists(checkpoints);
    })) << files::read_text(runs.path() / "log");
    const bool aims = kills % 2 == 0;  // at a checkpoint being written, which takes a millisecond
    if (aims) {
      ASSERT_TRUE(child.until([&] { return writing(checkpoints, child.pid()); }));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % (aims ? 300 : 4000)));
    ASSERT_EQ(child.end(SIGKILL), -SIGKILL) << files::read_text(runs.path() / "log");
    ++kills;
    while_writing += writing(checkpoints, child.pid()) ? 1 : 0;
    const fs::path newest = newest_whole(checkpoints);
    for (const std::int64_t step : list_steps(checkpoints)) {
      EXPECT_EQ(find_damage(checkpoints / step_name(step)), "") << "step " << step;
    }
    ASSERT_LT(newest.empty() ? 0 : step_of(newest.filename().string()), 110);
  }
  EXPECT_GE(while_writing, 3) << "too few kills hit a checkpoint being written";

  Child last(arguments_of(runs, "killed", overrides), runs.path() / "log");
  ASSERT_EQ(last.wait(), 0) << files::read_text(runs.path() / "log");
  for (const char* file : {kModelFile, kOptimizerFile}) {
    EXPECT_THAT(differing_tensors(runs.checkpoints("whole") / "latest" / file,
                                  checkpoints / "latest" / file),
                IsEmpty());
  }
  EXPECT_EQ(fs::read_symlink(checkpoints / "best"),
            fs::read_symlink(runs.checkpoints("whole") / "best"));
  for (const auto& entry : fs::directory_iterator(checkpoints)) {
    EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << "left behind: " << entry;
  }
  RecordProperty("kills_while_writing", while_writing);
}

TEST(Interrupt, SavesTheStepInHandAndTheRestIsTheSame) {
  const TinyRuns runs;
  const std::vector<std::string> overrides = {"schedule.max_steps=400", "train.checkpoint_every=0",
                                              "train.eval_every=0", "train.log_every=1"};
  runs.train("whole", overrides);
  int interrupted = 0;
  for (const int signal_number : {SIGTERM, SIGINT}) {
    Child child(arguments_of(runs, "cut", overrides), runs.path() / "log");
    const fs::path metrics = runs.run("cut") / "metrics.jsonl";
    std::error_code error;
    const auto before = fs::exists(metrics) ? fs::file_size(metrics) : 0;
    ASSERT_TRUE(child.until([&] {
      const auto size = fs::file_size(metrics, error);
      return !error && size > before + 500;
    })) << files::read_text(runs.path() / "log");
    ASSERT_EQ(child.end(signal_number), 75) << files::read_text(runs.path() / "log");
    const std::int64_t step = latest_step(runs.checkpoints("cut"));
    EXPECT_GT(step, interrupted);
    EXPECT_LT(step, 400);
    EXPECT_EQ(find_damage(runs.checkpoints("cut") / step_name(step)), "");
    interrupted = static_cast<int>(step);
  }
  EXPECT_THAT(files::read_text(runs.path() / "log"), HasSubstr("start the same command again"));
  Child rest(arguments_of(runs, "cut", overrides), runs.path() / "log");
  ASSERT_EQ(rest.wait(), 0);
  EXPECT_THAT(differing_tensors(runs.checkpoints("whole") / "latest" / kModelFile,
                                runs.checkpoints("cut") / "latest" / kModelFile),
              IsEmpty());
}

TEST(FullDisk, EndsWithItsCodeAndEarlierCheckpointsStayWhole) {
  const TinyRuns runs;
  const std::vector<std::string> overrides = {"schedule.name=constant", "train.log_every=1000",
                                              "train.checkpoint_every=4"};
  auto some = overrides;
  some.push_back("schedule.max_steps=4");
  ASSERT_EQ(Child(arguments_of(runs, "a", some), runs.path() / "log").wait(), 0);
  ASSERT_EQ(latest_step(runs.checkpoints("a")), 4);

  auto arguments = arguments_of(runs, "a", overrides);
  const auto weights = fs::file_size(runs.checkpoints("a") / step_name(4) / kModelFile);
  arguments.insert(arguments.begin(), {"--file-limit", std::to_string(weights - 1)});
  Child full(arguments, runs.path() / "full-log");
  EXPECT_EQ(full.wait(), 8);
  EXPECT_THAT(files::read_text(runs.path() / "full-log"),
              AllOf(HasSubstr(kModelFile), HasSubstr("The checkpoint of step 4 is whole")));
  EXPECT_EQ(latest_step(runs.checkpoints("a")), 4);
  EXPECT_EQ(find_damage(runs.checkpoints("a") / step_name(4)), "");
  EXPECT_FALSE(writing(runs.checkpoints("a"), full.pid())) << "half a checkpoint remains";

  // With room again, the same command goes on.
  EXPECT_EQ(Child(arguments_of(runs, "a", overrides), runs.path() / "log").wait(), 0);
  EXPECT_EQ(latest_step(runs.checkpoints("a")), 20);
}

}  // namespace
}  // namespace longconv::train::testing
