// The command line itself: usage errors, help, version, where text goes and in which form.
#include "tests/apps/program.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <sstream>

namespace longconv::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Bad {
  std::vector<std::string> arguments;
  std::string says;
};

TEST(Usage, EveryMistakeIsCodeTwoAndNamesTheRemedy) {
  const std::vector<Bad> cases{
      {{}, "subcommand is required"},
      {{"trian", "x.toml"}, "did you mean train?"},
      {{"data", "prepair", "x"}, "did you mean prepare?"},
      {{"bench"}, "bench --help"},
      {{"train"}, "config is required"},
      {{"train", "x.toml", "--dryrun"}, "did you mean --dry-run for --dryrun?"},
      {{"train", "x.toml", "optim.lr"}, "expected an override key=value, got \"optim.lr\""},
      {{"train", "x.toml", "=3"}, "expected an override key=value"},
      {{"eval", "runs/a", "bleu"}, "perplexity"},
      {{"eval", "runs/a", "perplexity", "--overlap", "-1"}, "--overlap"},
      {{"generate", "runs/a", "--top-p", "1.5"}, "--top-p"},
      {{"generate", "runs/a", "--tokens", "many"}, "--tokens"},
      {{"doctor", "--log-format", "xml"}, "--log-format"},
  };
  std::vector<std::vector<std::string>> commands;
  commands.reserve(cases.size());
  for (const Bad& bad : cases) commands.push_back(bad.arguments);
  const std::vector<Ended> answers = run_all(commands);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(answers[i].code, 2) << answers[i].err;
    EXPECT_THAT(answers[i].err, HasSubstr(cases[i].says));
    EXPECT_THAT(answers[i].out, IsEmpty());
  }
}

TEST(Usage, VersionNamesCommitLibTorchAndCuda) {
  const Ended ended = run({"--version"});
  EXPECT_EQ(ended.code, 0);
  for (const char* word : {"longconv 0.", "commit ", "LibTorch  2.", "CUDA  "}) {
    EXPECT_THAT(ended.out, HasSubstr(word));
  }
}

TEST(Usage, AnErrorIsAJsonLineWhereAsked) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--log-format", "json", "trian"},
        std::vector<std::string>{"train", "no \"such\" file.toml", "--log-format=json"}}) {
    const Ended ended = run(words);
    EXPECT_NE(ended.code, 0);
    std::istringstream lines(ended.err);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      const auto object = nlohmann::json::parse(line);
      EXPECT_EQ(object.at("level"), "error");
      EXPECT_FALSE(object.at("message").get<std::string>().empty());
    }
    EXPECT_EQ(count, 1) << ended.err;
  }
}

TEST(Usage, ColoursATerminalUnlessNoColorIsSet) {
  const std::string escape = "\x1b[";
  EXPECT_THAT(run_on_terminal({"trian"}, {{"NO_COLOR", ""}, {"TERM", "xterm-256color"}}),
              HasSubstr(escape));
  EXPECT_THAT(run_on_terminal({"trian"}, {{"NO_COLOR", "1"}, {"TERM", "xterm-256color"}}),
              Not(HasSubstr(escape)));
  EXPECT_THAT(run({"trian"}).err, Not(HasSubstr(escape)));
}

TEST(Usage, AResultThatCannotBeWrittenIsAnError) {
  Setting full;
  full.out = "/dev/full";
  const Ended ended = run({"doctor", "--json"}, full);
  EXPECT_EQ(ended.code, 8) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("stdout"));
}

TEST(Usage, DoctorExplainsTheMachine) {
  const Ended text = run({"doctor"});
  EXPECT_EQ(text.code, 0) << text.out << text.err;
  for (const char* word : {"LibTorch", "driver", "CPU", "memory", "disk", "cache", "threads"}) {
    EXPECT_THAT(text.out, HasSubstr(word));
  }
  const auto json = nlohmann::json::parse(run({"doctor", "--json"}).out);
  EXPECT_TRUE(json.at("usable").get<bool>());
  EXPECT_FALSE(json.at("found").at("memory").get<std::string>().empty());
  EXPECT_TRUE(json.at("problems").is_array());
}

}  // namespace
}  // namespace longconv::test
