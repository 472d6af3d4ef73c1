// A run that is interrupted, and a run folder that is in use.
#include "tests/apps/program.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <thread>

namespace longconv::test {
namespace {

using ::testing::HasSubstr;

/// Waits until `run` has written its first checkpoint; false after two minutes or if it ended.
bool wait_for_checkpoint(Program& program, const fs::path& run) {
  using namespace std::chrono_literals;
  const auto limit = std::chrono::steady_clock::now() + 120s;
  while (std::chrono::steady_clock::now() < limit && program.running()) {
    if (fs::exists(run / "checkpoints" / "latest")) return true;
    std::this_thread::sleep_for(20ms);
  }
  return false;
}

std::int64_t latest_step(const fs::path& run) {
  return std::stoll(fs::read_symlink(run / "checkpoints/latest").filename().string().substr(5));
}

TEST(Signals, SigtermSavesAndTheSameCommandGoesOn) {
  const World& world = World::get();
  const fs::path folder = world.folder() / "interrupted";
  const auto command = [&](const std::string& steps) {
    return train_tiny(world.bytes(), folder,
                      {"schedule.max_steps=" + steps, "train.checkpoint_every=5",
                       "train.eval_every=0", "schedule.name=constant"});
  };
  Program first(command("1000000"));
  ASSERT_TRUE(wait_for_checkpoint(first, folder)) << first.wait().err;

  // Meanwhile nobody else may train in this folder.
  const Ended second = run(command("1000000"));
  EXPECT_EQ(second.code, 8) << second.err;
  EXPECT_THAT(second.err, HasSubstr(folder.string()));
  EXPECT_THAT(second.err, HasSubstr("pid"));

  first.send(SIGTERM);
  const Ended stopped = first.wait();
  EXPECT_EQ(stopped.code, 75) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("longconv train"));
  const std::int64_t step = latest_step(folder);
  ASSERT_GE(step, 5);

  const Ended resumed = run(command(std::to_string(step + 3)));
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("step_"));
  EXPECT_EQ(latest_step(folder), step + 3);
}

TEST(Signals, SigintBeforeAnythingIsThereIsNotASuccess) {
  const World& world = World::get();
  Program program(
      train_tiny(world.bytes(), world.folder() / "early", {"schedule.max_steps=100000"}));
  program.send(SIGINT);
  const Ended ended = program.wait();
  EXPECT_TRUE(ended.code == 130 || ended.code == 75) << ended.code << ended.err;
}

}  // namespace
}  // namespace longconv::test
