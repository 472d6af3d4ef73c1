// What a file may say, and the words for everything that it may not.
#include "core/base/error.h"
#include "tests/core/config/small_config.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <ostream>
#include <string>
#include <vector>

namespace longconv::config {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using ::testing::StartsWith;

std::string error_of(const std::string& text) {
  SmallConfig config;
  return message_of<ConfigError>([&] { parse(config, text, "c.toml"); });
}

TEST(ConfigParse, FillsEveryKindOfKey) {
  SmallConfig config;
  parse(config,
        "seed = -7\n"
        "[model]\n"
        "family = 'h3'\n"
        "layers = [1, 0x10]\n"
        "names = [\"\\u00e9\", '']\n"
        "filter = {d_hidden = 1_000, modulate = false}\n"
        "[optim]\n"
        "lr = 1e-3\n"
        "betas = [0.5, 1]\n",
        "c.toml");
  EXPECT_EQ(config.seed(), -7);
  EXPECT_EQ(config.model.family(), "h3");
  EXPECT_EQ(config.model.layers(), (std::vector<std::int64_t>{1, 16}));
  EXPECT_EQ(config.model.names(), (std::vector<std::string>{"\xc3\xa9", ""}));
  EXPECT_EQ(config.model.filter.d_hidden(), 1000);
  EXPECT_FALSE(config.model.filter.modulate());
  EXPECT_EQ(config.optim.lr(), 1e-3);
  EXPECT_EQ(config.optim.betas(), (std::vector<double>{0.5, 1.0}));
  EXPECT_EQ(config.optim.name(), "adamw") << "keys that the file does not name keep their default";
}

TEST(ConfigParse, RemembersWhereAValueCameFrom) {
  SmallConfig config;
  parse(config, "[optim]\n\n  lr = 1e-3\n", "c.toml");
  EXPECT_TRUE(config.optim.lr.is_set());
  EXPECT_EQ(config.optim.lr.origin().file, "c.toml");
  EXPECT_EQ(config.optim.lr.origin().line, 3);
  EXPECT_EQ(config.optim.lr.origin().column, 8);
  EXPECT_FALSE(config.optim.dropout.is_set());
  EXPECT_EQ(config.optim.dropout.origin().line, 0);
}

TEST(ConfigParse, TakesAnIntegerWhereANumberIsWanted) {
  SmallConfig config;
  parse(config, "optim.lr = 2", "c.toml");
  EXPECT_EQ(config.optim.lr(), 2.0);
}

TEST(ConfigParse, ListsOfTablesAreReplacedByTheFile) {
  SmallConfig config;
  config.optim.group.append().lr.set(0.5);
  parse(config, "[optim]\nlr = 1\n", "c.toml");
  ASSERT_EQ(config.optim.group.size(), 1U) << "not named, not touched";
  parse(config, "[[optim.group]]\nmatch = 'a'\n[[optim.group]]\nmatch = 'b'\nlr = 2\n", "c.toml");
  ASSERT_EQ(config.optim.group.size(), 2U);
  EXPECT_EQ(config.optim.group[0].match(), "a");
  EXPECT_EQ(config.optim.group[0].lr(), -1.0);
  EXPECT_EQ(config.optim.group[1].lr(), 2.0);
  EXPECT_EQ(config.optim.group[1].lr.path(), "optim.group[1].lr");
}

struct Case {
  const char* name;
  const char* text;
  const char* message;  // the whole of it
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class ConfigErrors : public ::testing::TestWithParam<Case> {};

TEST_P(ConfigErrors, SayWhereWhatWasWantedAndWhatCame) {
  EXPECT_EQ(error_of(GetParam().text), GetParam().message);
}

constexpr Case kCases[] = {
    {"unknown_key", "[model.filter]\nd_hiden = 3\n",
     "c.toml:2:1: model.filter.d_hiden: unknown key; did you mean d_hidden?\n"
     "  [model.filter] takes: d_hidden, n_bands, decay, modulate"},
    {"unknown_key_with_nothing_near", "[model]\nzzz = 3\n",
     "c.toml:2:1: model.zzz: unknown key\n  [model] takes: family, layers, names, filter"},
    {"unknown_key_of_another_table", "seed = 1\nd_hidden = 3\n",
     "c.toml:2:1: d_hidden: unknown key; did you mean model.filter.d_hidden?\n"
     "  the top level takes: seed, model, optim"},
    {"unknown_table", "[modle]\nx = 1\n",
     "c.toml:1:2: modle: unknown key; did you mean model?\n"
     "  the top level takes: seed, model, optim"},
    {"unknown_key_in_a_list", "[[optim.group]]\nlr = 1\n[[optim.group]]\n mtch = ''\n",
     "c.toml:4:2: optim.group[1].mtch: unknown key; did you mean match?\n"
     "  [optim.group[1]] takes: match, lr"},
    {"unknown_key_in_an_inline_table", "optim = {lr = 1, nmae = ''}",
     "c.toml:1:18: optim.nmae: unknown key; did you mean name?\n"
     "  [optim] takes: name, lr, dropout, betas, group"},
    {"first_mistake_of_the_file", "[optim]\nzz = 1\naa = 1\n",
     "c.toml:2:1: optim.zz: unknown key\n  [optim] takes: name, lr, dropout, betas, group"},
    {"string_for_number", "[optim]\nlr = \"6e-4\"\n",
     "c.toml:2:6: optim.lr: expected a number > 0, got \"6e-4\" (a string)"},
    {"float_for_integer", "seed = 1.5", "c.toml:1:8: seed: expected an integer, got 1.5 (a float)"},
    {"whole_float_for_integer", "model.filter.d_hidden = 1e3",
     "c.toml:1:25: model.filter.d_hidden: expected an integer >= 1, got 1000.0 (a float); "
     "write 1000"},
    {"integer_for_boolean", "[model.filter]\nmodulate = 1",
     "c.toml:2:12: model.filter.modulate: expected true or false, got 1 (an integer)"},
    {"boolean_for_string", "[model]\nfamily = true",
     "c.toml:2:10: model.family: expected a string, got true (a boolean)"},
    {"date_for_integer", "seed = 1979-05-27",
     "c.toml:1:8: seed: expected an integer, got 1979-05-27 (a date or time)"},
    {"time_for_integer", "seed = 07:32:00",
     "c.toml:1:8: seed: expected an integer, got 07:32:00 (a date or time)"},
    {"array_for_number", "[optim]\nlr = [1, 'x']",
     "c.toml:2:6: optim.lr: expected a number > 0, got [1, \"x\"] (an array)"},
    {"table_for_key", "[optim.lr]\nx = 1\n",
     "c.toml:1:8: optim.lr: expected a number > 0, got a table"},
    {"list_of_tables_for_key", "[[optim.lr]]\nx = 1\n",
     "c.toml:1:9: optim.lr: expected a number > 0, got an array of tables"},
    {"number_for_array", "[optim]\nbetas = 0.9",
     "c.toml:2:9: optim.betas: expected an array of numbers, got 0.9 (a float)"},
    {"item_of_another_type", "[optim]\nbetas = [0.9,\n  'x']",
     "c.toml:3:3: optim.betas: expected an array of numbers, got \"x\" (a string) as item 2"},
    {"float_item_for_integer", "model.layers = [1, 2.0]",
     "c.toml:1:20: model.layers: expected an array of integers, got 2.0 (a float) as item 2; "
     "write 2"},
    {"key_for_table", "\nmodel = 3",
     "c.toml:2:1: model: expected a table [model], got 3 (an integer)"},
    {"list_for_table", "[[model]]\n",
     "c.toml:1:3: model: expected a table [model], got an array of tables"},
    {"table_for_list", "[optim.group]\nlr = 1",
     "c.toml:1:8: optim.group: expected tables [[optim.group]], got a table"},
    {"array_of_numbers_for_list", "optim.group = [1]",
     "c.toml:1:7: optim.group: expected tables [[optim.group]], got [1] (an array)"},
    {"not_above", "optim.lr = 0.0", "c.toml:1:12: optim.lr: expected a number > 0, got 0.0"},
    {"not_between", "optim.dropout = 1.5",
     "c.toml:1:17: optim.dropout: expected a number from 0 to 1, got 1.5"},
    {"below_the_least_number", "model.filter.decay = -1e-9",
     "c.toml:1:22: model.filter.decay: expected a number >= 0, got -1e-09"},
    {"below_the_least_integer", "model.filter.d_hidden = 0",
     "c.toml:1:25: model.filter.d_hidden: expected an integer >= 1, got 0"},
    {"integer_not_between", "model.filter.n_bands = 65",
     "c.toml:1:24: model.filter.n_bands: expected an integer from 1 to 64, got 65"},
    {"not_one_of", "optim.name = 'adam'",
     "c.toml:1:14: optim.name: expected one of \"adamw\", \"sgd\", got \"adam\""},
    {"infinite", "optim.lr = inf",
     "c.toml:1:12: optim.lr: expected a number > 0, got inf (not finite)"},
    {"not_a_number", "[[optim.group]]\nlr = nan",
     "c.toml:2:6: optim.group[0].lr: expected a number, got nan (not finite)"},
    {"repeated_key", "seed = 1\nseed = 2",
     "c.toml:2:8: Error while parsing key-value pair: cannot redefine existing integer 'seed'"},
    {"repeated_table", "[optim]\n[optim]\n",
     "c.toml:2:1: Error while parsing table header: cannot redefine existing table 'optim'"},
    {"missing_value", "seed =\n",
     "c.toml:1:7: Error while parsing key-value pair: expected value, saw '\\n'"},
    {"too_many_parts", "seed = 1 # a.b.c.d.e.f.g.h.i\n'x.x.x.x.x.x.x.x.x' . b.c.d.e.f.g.h.i = 1",
     "c.toml:2: expected a key of at most 8 parts, got more"},
};

INSTANTIATE_TEST_SUITE_P(EveryKind, ConfigErrors, ::testing::ValuesIn(kCases),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(ConfigParse, BrokenTextIsAnErrorWithAPlaceNeverACrash) {
  for (const char* text :
       {"seed = 'open", "seed = 0xfffffffffffffffff", "\xff\xfe", "a = \"\\uD800\"", "[", "[[", "=",
        "seed = 99999999999999999999", "x = [1,", "x = {a=1", "\x01", "seed = 2024-13-01"}) {
    EXPECT_THAT(error_of(text), StartsWith("c.toml:1:")) << text;
  }
}

TEST(ConfigParse, DeepKeysAndDeepValuesDoNotOverflowTheStack) {
  std::string key = "a";
  for (int i = 0; i < 100'000; ++i) key += ".a";
  EXPECT_THAT(error_of(key + " = 1"), HasSubstr("at most 8 parts"));
  EXPECT_THAT(error_of("[" + key + "]"), HasSubstr("at most 8 parts"));
  EXPECT_THAT(error_of("x = " + std::string(100'000, '[')), HasSubstr("depth"));
}

TEST(ConfigParse, DotsInsideStringsAreNoKeys) {
  SmallConfig config;
  parse(
      config,
      "model.family = '..........'\nmodel.names = [\"\"\"..\n\\\"........\"\"\", '''....'.....''']",
      "c.toml");
  EXPECT_EQ(config.model.family(), "..........");
  EXPECT_EQ(config.model.names()[0], "..\n\"........");
}

TEST(ConfigParse, HugeTextIsRefused) {
  EXPECT_THAT(error_of(std::string(5 << 20, '\n')), HasSubstr("at most 4194304 bytes"));
}

TEST(ConfigParse, LongValuesAreCutInMessagesBetweenLetters) {
  std::string letters;
  for (int i = 0; i < 100; ++i) letters += "\xc3\xa9";
  const std::string message = error_of("optim.lr = \"" + letters + "\"");
  EXPECT_LT(message.size(), 150U);
  EXPECT_THAT(message, HasSubstr("\xc3\xa9... (a string)"));
}

TEST(ConfigLoad, ReadsAFileAndNamesItInMessages) {
  const testing::TempFolder folder;
  const std::string path = folder / "run.toml";
  std::ofstream(path) << "seed = 5\n";
  SmallConfig config;
  load(config, path);
  EXPECT_EQ(config.seed(), 5);
  std::ofstream(path) << "seed = ''\n";
  EXPECT_THAT(message_of<ConfigError>([&] { load(config, path); }),
              StartsWith(path + ":1:8: seed: expected an integer"));
}

TEST(ConfigLoad, UnreadableFilesAreConfigErrorsWithTheSystemsWords) {
  const testing::TempFolder folder;
  SmallConfig config;
  const auto words = [&](const std::string& path) {
    return message_of<ConfigError>([&] { load(config, path); });
  };
  const std::string missing = folder / "none.toml";
  EXPECT_EQ(words(missing), missing + ": cannot read the configuration: No such file or directory");
  EXPECT_EQ(words(folder.path()),
            folder.path().string() + ": cannot read the configuration: Is a directory");
}

}  // namespace
}  // namespace longconv::config
