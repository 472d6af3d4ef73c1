// bash completion: offers exactly what --help shows, files, and the keys of a configuration.
#include "tests/apps/program.h"

#include <gmock/gmock.h>

#include <array>
#include <cstdio>
#include <set>
#include <sstream>

namespace longconv::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::set<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::set<std::string> words;
  for (std::string word; stream >> word;) words.insert(word);
  return words;
}

/// What bash offers for the last of `words`.
std::set<std::string> complete(const std::vector<std::string>& words) {
  std::string line =
      "source '" + (source_folder() / "apps/completion/longconv.bash").string() + "'; COMP_WORDS=(";
  for (const std::string& word : words) line += " '" + word + "'";
  line += " ); COMP_CWORD=" + std::to_string(words.size() - 1) +
          "; _longconv; printf '%s\\n' \"${COMPREPLY[@]}\"";
  const fs::path script = World::get().folder() / "complete.sh";
  write(script, line + "\n");
  FILE* pipe = ::popen(("bash '" + script.string() + "'").c_str(), "r");
  std::string text;
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) text += buffer.data();
  ::pclose(pipe);
  return words_of(text);
}

/// Every --option that a help text starts a line with.
std::set<std::string> options_in(const std::string& help) {
  std::set<std::string> options;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) {
    const auto begin = line.find_first_not_of(' ');
    if (begin == std::string::npos || line[begin] != '-') continue;
    const auto at = line.find("--", begin);
    if (at == std::string::npos) continue;
    options.insert(line.substr(at, line.find_first_of(" ,=", at) - at));
  }
  return options;
}

TEST(Completion, OffersExactlyTheOptionsOfEachHelp) {
  const std::vector<std::vector<std::string>> commands{{},
                                                       {"train"},
                                                       {"eval"},
                                                       {"generate"},
                                                       {"predict"},
                                                       {"import"},
                                                       {"export"},
                                                       {"inspect"},
                                                       {"doctor"},
                                                       {"report"},
                                                       {"data", "prepare"},
                                                       {"data", "tokenizer"},
                                                       {"data", "generate"},
                                                       {"data", "inspect"},
                                                       {"data", "convert"},
                                                       {"data", "bench"},
                                                       {"bench", "conv"},
                                                       {"bench", "short"},
                                                       {"bench", "model"}};
  std::vector<std::vector<std::string>> helps = commands;
  for (std::vector<std::string>& help : helps) help.push_back("--help");
  const std::vector<Ended> answers = run_all(helps);
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const std::string name = commands[i].empty() ? "longconv" : commands[i].back();
    EXPECT_EQ(answers[i].code, 0) << name;
    EXPECT_THAT(answers[i].err, IsEmpty()) << name;
    EXPECT_THAT(answers[i].out, HasSubstr("Usage: longconv")) << name;
    std::set<std::string> wanted = options_in(answers[i].out);
    wanted.insert("--log-format");  // the program's own, taken behind every subcommand
    std::vector<std::string> typed{"longconv"};
    typed.insert(typed.end(), commands[i].begin(), commands[i].end());
    typed.push_back("--");
    EXPECT_EQ(complete(typed), wanted) << name;
  }
}

TEST(Completion, OffersSubcommandsValuesAndConfigurations) {
  EXPECT_THAT(complete({"longconv", "tr"}), ElementsAre("train"));
  EXPECT_THAT(complete({"longconv", "data", "in"}), ElementsAre("inspect"));
  EXPECT_THAT(complete({"longconv", "bench", "conv", "--dtype", "b"}), ElementsAre("bf16"));
  EXPECT_THAT(complete({"longconv", "train", (source_folder() / "configs/smoke/ti").string()}),
              ElementsAre(tiny_config().string()));
}

TEST(Completion, OffersTheKeysOfAConfiguration) {
  const World& world = World::get();
  const std::string program = std::string(LONGCONV_BINARY_DIR) + "/bin/longconv";
  const std::string config = (world.run() / "config.toml").string();
  EXPECT_THAT(complete({program, "train", config, "model.filter.em"}),
              ElementsAre("model.filter.emb_dim="));
  EXPECT_THAT(complete({program, "train", config, "see"}), ElementsAre("seed="));
  EXPECT_THAT(complete({program, "train", config, "optim."}), Contains("optim.clip_norm="));
}

}  // namespace
}  // namespace longconv::test
