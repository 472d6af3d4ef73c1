// predict as a user calls it: every kind of input and output, what is refused, and what a stopped
// run leaves.
#include "core/files/mapped_file.h"
#include "core/files/npy.h"
#include "core/files/safetensors.h"
#include "tests/apps/program.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <signal.h>

#include <chrono>
#include <sstream>
#include <thread>

namespace longconv::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

fs::path fresh(const std::string& name) {
  const fs::path folder = World::get().folder() / name;
  fs::create_directories(folder);
  return folder;
}

template <class T>
std::string put_npy(const fs::path& path, Dtype dtype, const std::vector<std::int64_t>& shape,
                    const std::vector<T>& values) {
  files::write_npy(path, {"", dtype, shape, std::as_bytes(std::span(values))});
  return path.string();
}

std::vector<std::string> command(const std::string& input, const std::string& output,
                                 const std::string& what,
                                 const std::vector<std::string>& more = {}) {
  std::vector<std::string> out{"predict",  World::get().run().string(),
                               "--input",  input,
                               "--output", output,
                               "--what",   what,
                               "--device", "cpu"};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

std::vector<json> lines_of(const fs::path& path) {
  std::vector<json> out;
  std::istringstream lines(read(path));
  for (std::string line; std::getline(lines, line);) out.push_back(json::parse(line));
  return out;
}

TEST(Predict, TextsGoInAndLinesComeOut) {
  const fs::path folder = fresh("predict");
  write(folder / "in.jsonl", "{\"text\": \"In the beginning\"}\n{\"text\": \"was\"}\n");
  const Ended ended = run(command((folder / "in.jsonl").string(), (folder / "loss.jsonl").string(),
                                  "loss", {"--json"}));
  ASSERT_EQ(ended.code, 0) << ended.err;
  const json report = json::parse(ended.out);
  EXPECT_EQ(report["rows"], 2);
  EXPECT_EQ(report["tokens"], 19);
  const std::vector<json> lines = lines_of(folder / "loss.jsonl");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_GT(lines[0]["loss"], 0.5);
  EXPECT_LT(lines[0]["loss"], 8.0);
}

// One text by three ways in is one row, and by three ways out the same numbers.
TEST(Predict, EveryWayInAndOutSaysTheSame) {
  const fs::path folder = fresh("predict_ways");
  const std::string text = "ACGTACGTTTGACA";
  write(folder / "in.txt", text);
  write(folder / "in.fa", ">chr1 whole\nACGTACGT\nTTGACA\n");
  put_npy<std::int32_t>(folder / "in.npy", Dtype::i32, {1, 14}, {text.begin(), text.end()});
  std::vector<std::vector<std::string>> commands;
  for (const char* in : {"in.txt", "in.fa", "in.npy"}) {
    for (const char* ending : {".npy", ".safetensors", ".jsonl"}) {
      commands.push_back(command((folder / in).string(), (folder / in).string() + ending, "hidden",
                                 {"--dtype", "float64"}));
    }
  }
  for (const Ended& ended : run_all(commands)) ASSERT_EQ(ended.code, 0) << ended.err;
  const files::MappedFile whole(folder / "in.npy.npy");
  const files::TensorView want = files::parse_npy(whole.bytes(), "in.npy.npy");
  EXPECT_EQ(want.dtype, Dtype::f64);
  EXPECT_EQ(want.shape, (std::vector<std::int64_t>{1, 14, 32}));
  for (const char* in : {"in.txt", "in.fa", "in.npy"}) {
    const std::string base = (folder / in).string();
    EXPECT_EQ(read(base + ".npy"), read(folder / "in.npy.npy"));
    const files::SafetensorsFile tensors(base + ".safetensors");
    const files::TensorView& got = tensors.tensors().at("hidden");
    EXPECT_EQ(got.shape.size(), std::string(in) == "in.npy" ? 3U : 2U);
    EXPECT_TRUE(std::equal(got.data.begin(), got.data.end(), want.data.begin(), want.data.end()));
    const std::vector<json> lines = lines_of(base + ".jsonl");
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].contains("name"), std::string(in) == "in.fa");
    double first = 0.0;
    std::memcpy(&first, want.data.data(), sizeof first);
    EXPECT_EQ(lines[0]["hidden"][0][0].get<double>(), first);
  }
}

TEST(Predict, EveryBadInputHasItsCodeAndNamesThePlace) {
  const fs::path folder = fresh("predict_bad");
  const auto ids =
      put_npy<std::int32_t>(folder / "ids.npy", Dtype::i32, {2, 3}, {1, 2, 3, 4, 5, 300});
  const auto floats = put_npy<float>(folder / "f.npy", Dtype::f32, {1, 2}, {1, 2});
  const auto mask = put_npy<std::uint8_t>(folder / "m.npy", Dtype::u8, {3, 2}, {1, 1, 1, 1, 1, 1});
  const auto good = put_npy<std::int32_t>(folder / "good.npy", Dtype::i32, {1, 2}, {1, 2});
  put_npy<std::int32_t>(folder / "long.npy", Dtype::i32, {1, 65}, std::vector<std::int32_t>(65, 1));
  write(folder / "two.jsonl", "{\"text\": \"ab\"}\n{\"text\": \"abc\"}\n");
  write(folder / "broken.jsonl", "{\"text\": \"ab\"}\n{\"text\": 3}\n");
  write(folder / "a.csv", "1,2");
  const auto out = [&](const char* name) { return (folder / name).string(); };
  struct Bad {
    std::vector<std::string> arguments;
    int code;
    std::string says;
  };
  const std::vector<Bad> cases{
      {command(ids, out("y.npy"), "logits"), 4,
       "ids.npy: row 1, column 2: token 300, expected 0 to 256"},
      {command(floats, out("y.npy"), "logits"), 4, "expected token ids in int32 or int64"},
      {command(ids, out("y.npy"), "loss", {"--mask", mask}), 4, "[2, 3], got [3, 2]"},
      {command(out("long.npy"), out("y.npy"), "loss"), 4, "65 tokens"},
      {command(out("broken.jsonl"), out("y.npy"), "loss"), 4, "broken.jsonl:2"},
      {command(out("none.npy"), out("y.npy"), "loss"), 4, "none.npy: cannot open"},
      {command(out("a.csv"), out("y.npy"), "loss"), 2, "expected a name ending in"},
      {command(good, out("y.txt"), "loss"), 2, "y.txt: expected a name ending in"},
      {command(out("two.jsonl"), out("y.npy"), "hidden"), 2, "rows have 2 to 3 positions"},
      {command(out("two.jsonl"), out("y.npy"), "loss", {"--mask", mask}), 2, "a mask goes with"},
      {command(good, out("none/y.npy"), "loss"), 8, "cannot write"},
      {command(good, out("y.npy"), "attention"), 2, "--what"},
      {command(good, out("y.npy"), "loss", {"--dtype", "float16"}), 2, "--dtype"},
      {command(good, out("y.npy"), "loss", {"model.d_model=31"}), 5, "expected"},
      {{"predict", out("none"), "--input", good, "--output", out("y.npy"), "--what", "loss"},
       5,
       "no such folder"},
  };
  std::vector<std::vector<std::string>> commands;
  for (const Bad& bad : cases) commands.push_back(bad.arguments);
  const std::vector<Ended> answers = run_all(commands);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(answers[i].code, cases[i].code) << answers[i].err;
    EXPECT_THAT(answers[i].err, HasSubstr(cases[i].says));
    EXPECT_THAT(answers[i].out, IsEmpty());
  }
  for (const auto& entry : fs::directory_iterator(folder)) {
    EXPECT_NE(entry.path().filename().string().front(), 'y') << entry.path() << " was left";
  }
}

TEST(Predict, AStoppedRunLeavesTheOldFileAndNoOther) {
  using namespace std::chrono_literals;
  const fs::path folder = fresh("predict_stopped");
  const std::int64_t rows = 200000;
  const auto ids = put_npy<std::int32_t>(folder / "ids.npy", Dtype::i32, {rows, 64},
                                         std::vector<std::int32_t>(rows * 64, 7));
  const fs::path out = folder / "y.npy";
  const auto begun = [&] {  // the temporary file is there
    int entries = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder)) ++entries;
    return entries > 2;
  };
  for (const int signal : {SIGINT, SIGTERM, SIGKILL}) {
    write(out, "old");
    Program program(command(ids, out.string(), "hidden"));
    const auto limit = std::chrono::steady_clock::now() + 60s;
    while (!begun() && program.running() && std::chrono::steady_clock::now() < limit) {
      std::this_thread::sleep_for(5ms);
    }
    program.send(signal);
    const Ended ended = program.wait();
    EXPECT_EQ(ended.code, signal == SIGKILL ? 128 + SIGKILL : 130) << ended.err;
    EXPECT_EQ(read(out), "old");
    if (signal != SIGKILL) {
      EXPECT_FALSE(begun()) << "its temporary file is gone";
    }
  }
}

}  // namespace
}  // namespace longconv::test
