// Checkpoint folders: whole or ignored, whatever happens to their files.
#include "train/checkpoint/folder.h"

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "tests/support/temp_folder.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <set>

namespace longconv::train {
namespace {

namespace fs = std::filesystem;
using ::longconv::testing::message_of;
using ::longconv::testing::TempFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

fs::path write_checkpoint(const fs::path& checkpoints, std::int64_t step,
                          const std::string& weights = "weights") {
  CheckpointWriter writer(checkpoints, step);
  std::ofstream(writer.folder() / kModelFile) << weights;
  std::ofstream(writer.folder() / kOptimizerFile) << "moments";
  std::ofstream(writer.folder() / kStateFile) << "{}";
  return writer.publish();
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> out;
  for (const auto& entry : fs::directory_iterator(folder)) {
    out.insert(entry.path().filename().string());
  }
  return out;
}

/// The id of a process that has ended.
pid_t dead_process() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return child;
}

TEST(StepName, HasSevenDigitsAndReadsBack) {
  EXPECT_EQ(step_name(1000), "step_0001000");
  EXPECT_EQ(step_of("step_0001000"), 1000);
  EXPECT_EQ(step_of(step_name(123456789)), 123456789);
  for (const char* other : {"step_", "step_1000", "step_0001000.tmp-12", "latest", "step_000100x",
                            "step_99999999999999999999999"}) {
    EXPECT_EQ(step_of(other), -1) << other;
  }
}

TEST(CheckpointWriter, PublishesAWholeFolder) {
  const TempFolder temp;
  const fs::path folder = write_checkpoint(temp / "c", 1000);
  EXPECT_EQ(folder, temp / "c" / "step_0001000");
  EXPECT_THAT(names_in(temp / "c"), ElementsAre("step_0001000"));
  EXPECT_THAT(names_in(folder),
              UnorderedElementsAre(kModelFile, kOptimizerFile, kStateFile, kCompleteFile));
  EXPECT_EQ(find_damage(folder), "");
}

TEST(CheckpointWriter, LeavesNothingIfItIsNotPublished) {
  const TempFolder temp;
  { const CheckpointWriter writer(temp / "c", 5); }
  EXPECT_THAT(names_in(temp / "c"), IsEmpty());
}

TEST(CheckpointWriter, MovesADamagedFolderOfTheSameStepAside) {
  const TempFolder temp;
  const fs::path folder = write_checkpoint(temp / "c", 5, "old");
  fs::remove(folder / kCompleteFile);
  write_checkpoint(temp / "c", 5, "new");
  EXPECT_EQ(find_damage(folder), "");
  EXPECT_THAT(names_in(temp / "c"), UnorderedElementsAre("step_0000005", "step_0000005.old-1"));
  EXPECT_EQ(files::read_text(temp / "c" / "step_0000005.old-1" / kModelFile), "old");
}

TEST(CheckpointWriter, SaysWhyItCannotWrite) {
  const TempFolder temp;
  std::ofstream(temp / "c") << "a file in the way";
  EXPECT_THAT(message_of<EnvironmentError>([&] { CheckpointWriter writer(temp / "c", 1); }),
              HasSubstr((temp / "c").string()));
}

struct Damage {
  const char* name;
  void (*inflict)(const fs::path& folder);
  const char* words;
};

void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.name; }

void overwrite(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::trunc | std::ios::binary) << text;
}

class DamagedCheckpoint : public ::testing::TestWithParam<Damage> {};

TEST_P(DamagedCheckpoint, IsIgnoredReportedAndLeftAlone) {
  const TempFolder temp;
  const fs::path good = write_checkpoint(temp / "c", 10);
  const fs::path bad = write_checkpoint(temp / "c", 20);
  EXPECT_EQ(newest_whole(temp / "c"), bad);
  GetParam().inflict(bad);
  const auto before = names_in(bad);

  EXPECT_THAT(find_damage(bad), HasSubstr(GetParam().words));
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(newest_whole(temp / "c"), good);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("step_0000020"), HasSubstr(GetParam().words)));
  EXPECT_EQ(names_in(bad), before);
  EXPECT_THROW(find_checkpoint(bad), CheckpointError);
}

INSTANTIATE_TEST_SUITE_P(
    EveryKind, DamagedCheckpoint,
    ::testing::Values(
        Damage{"no_complete", [](const fs::path& f) { fs::remove(f / kCompleteFile); },
               "no COMPLETE"},
        Damage{"empty_complete", [](const fs::path& f) { overwrite(f / kCompleteFile, ""); },
               "torn"},
        Damage{"torn_complete",
               [](const fs::path& f) {
                 fs::resize_file(f / kCompleteFile, fs::file_size(f / kCompleteFile) / 2);
               },
               "torn"},
        Damage{"foreign_complete", [](const fs::path& f) { overwrite(f / kCompleteFile, "[1]"); },
               "no JSON of ours"},
        Damage{"missing_file", [](const fs::path& f) { fs::remove(f / kOptimizerFile); },
               "optimizer.safetensors is missing"},
        Damage{"truncated_file", [](const fs::path& f) { overwrite(f / kModelFile, "weight"); },
               "model.safetensors has 6 bytes, COMPLETE says 7"},
        Damage{"flipped_byte", [](const fs::path& f) { overwrite(f / kModelFile, "weighus"); },
               "CRC-32C"},
        Damage{"unlisted_file",
               [](const fs::path& f) {
                 std::string text = files::read_text(f / kCompleteFile);
                 const auto start = text.find("\"state.json\"");
                 const auto before = text.rfind(',', start);
                 text.erase(before, text.find('}', start) + 1 - before);
                 overwrite(f / kCompleteFile, text);
               },
               "does not list state.json"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Links, AreRelativeAndSwapped) {
  const TempFolder temp;
  write_checkpoint(temp / "c", 10);
  write_checkpoint(temp / "c", 20);
  set_link(temp / "c", "latest", 10);
  set_link(temp / "c", "latest", 20);
  EXPECT_EQ(fs::read_symlink(temp / "c" / "latest"), "step_0000020");
  EXPECT_THAT(names_in(temp / "c"), UnorderedElementsAre("step_0000010", "step_0000020", "latest"));
}

TEST(Prune, KeepsTheLastTheBestAndTheDamaged) {
  const TempFolder temp;
  for (const std::int64_t step : {10, 20, 30, 40, 50}) write_checkpoint(temp / "c", step);
  fs::remove(temp / "c" / "step_0000040" / kCompleteFile);
  prune(temp / "c", 2, 10);
  EXPECT_THAT(list_steps(temp / "c"), ElementsAre(10, 30, 40, 50));
}

TEST(Prune, WithoutABestKeepsTheLastOnly) {
  const TempFolder temp;
  for (const std::int64_t step : {10, 20, 30}) write_checkpoint(temp / "c", step);
  prune(temp / "c", 1, -1);
  EXPECT_THAT(list_steps(temp / "c"), ElementsAre(30));
}

TEST(Leftovers, OfDeadProcessesGoAndOfLiveOnesStay) {
  const TempFolder temp;
  const std::string dead = "step_0000007.tmp-" + std::to_string(dead_process());
  const std::string live = "step_0000008.tmp-" + std::to_string(::getppid());
  for (const std::string& name : {dead, live, std::string("step_0000009.old-1")}) {
    fs::create_directories(temp / "c" / name);
    std::ofstream(temp / "c" / name / kModelFile) << "half";
  }
  write_checkpoint(temp / "c", 10);
  EXPECT_THAT(names_in(temp / "c"),
              UnorderedElementsAre(live, "step_0000009.old-1", "step_0000010"));
}

TEST(FindCheckpoint, TakesARunsBestElseItsLatestElseItsNewestWhole) {
  const TempFolder temp;
  const fs::path c = temp / "checkpoints";
  EXPECT_THAT(message_of<CheckpointError>([&] { find_checkpoint(temp.path()); }),
              HasSubstr(temp.path().string()));
  write_checkpoint(c, 10);
  write_checkpoint(c, 20);
  EXPECT_EQ(find_checkpoint(temp.path()).filename(), "step_0000020");
  set_link(c, "latest", 10);
  EXPECT_EQ(find_checkpoint(temp.path()).filename(), "step_0000010");
  set_link(c, "best", 20);
  EXPECT_EQ(find_checkpoint(temp.path()).filename(), "step_0000020");
  EXPECT_EQ(find_checkpoint(c / "step_0000010"), c / "step_0000010");
}

TEST(FindCheckpoint, SaysWhenARunHasNone) {
  const TempFolder temp;
  fs::create_directories(temp / "checkpoints");
  EXPECT_THAT(message_of<CheckpointError>([&] { find_checkpoint(temp.path()); }),
              HasSubstr("no whole checkpoint"));
}

}  // namespace
}  // namespace longconv::train
