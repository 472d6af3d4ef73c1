#include "core/base/error.h"
#include "tests/core/config/small_config.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace longconv::config {
namespace {

using testing::message_of;

TEST(Section, AllKeysAreListedDepthFirstWithElements) {
  SmallConfig config;
  config.optim.group.append();
  std::vector<std::string> paths;
  for (const KeyBase* key : all_keys(config)) paths.push_back(key->path());
  EXPECT_THAT(paths, ::testing::ElementsAre(
                         "seed", "model.family", "model.layers", "model.names",
                         "model.filter.d_hidden", "model.filter.n_bands", "model.filter.decay",
                         "model.filter.modulate", "optim.name", "optim.lr", "optim.dropout",
                         "optim.betas", "optim.group[0].match", "optim.group[0].lr"));
}

TEST(Section, OnlyReadingByCodeCountsAsRead) {
  SmallConfig config;
  parse(config, "seed = 3", "c.toml");
  static_cast<void>(print(config));
  static_cast<void>(all_keys(config));
  EXPECT_FALSE(config.seed.was_read());
  static_cast<void>(config.seed());
  EXPECT_TRUE(config.seed.was_read());
  EXPECT_FALSE(config.optim.lr.was_read());
}

TEST(Key, SetFromCodeChecksTheRuleAndKeepsTheOldValue) {
  SmallConfig config;
  EXPECT_EQ(message_of<ConfigError>([&] { config.optim.lr.set(-1.0); }),
            "optim.lr: expected a number > 0, got -1.0");
  EXPECT_EQ(message_of<ConfigError>([&] { config.optim.name.set("x"); }),
            "optim.name: expected one of \"adamw\", \"sgd\", got \"x\"");
  EXPECT_THROW(config.optim.dropout.set(std::numeric_limits<double>::quiet_NaN()), ConfigError);
  EXPECT_THROW(config.optim.betas.set({std::numeric_limits<double>::infinity()}), ConfigError);
  EXPECT_EQ(config.optim.lr(), 6e-4);
  EXPECT_FALSE(config.optim.lr.is_set()) << "set means by the file or an override";
  config.optim.lr.set(0.5);
  EXPECT_EQ(config.optim.lr(), 0.5);
}

TEST(Key, TextThatTomlCannotWriteIsRefused) {
  SmallConfig config;
  for (const char* bad : {"\xff", "\xc3", "\xc3(", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80", "a\xe2\x82"}) {
    EXPECT_THROW(config.model.family.set(bad), ConfigError) << ::testing::PrintToString(bad);
  }
  for (const char* good :
       {"", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
    config.model.family.set(good);
    EXPECT_EQ(config.model.family(), good);
  }
}

TEST(Key, AssignLeavesTheOldValueWhenItFails) {
  SmallConfig config;
  parse(config, "optim.betas = [0.5]", "c.toml");
  EXPECT_THROW(parse(config, "optim.betas = [0.1, 'x']", "d.toml"), ConfigError);
  EXPECT_EQ(config.optim.betas(), std::vector<double>{0.5});
  EXPECT_EQ(config.optim.betas.origin().file, "c.toml");
}

TEST(Key, FailNamesThePlaceOfTheValue) {
  SmallConfig config;
  EXPECT_EQ(message_of<ConfigError>([&] { config.optim.lr.fail("too small"); }),
            "optim.lr: too small");
  parse(config, "[optim]\nlr = 1\n", "c.toml");
  EXPECT_EQ(message_of<ConfigError>([&] { config.optim.lr.fail("too small"); }),
            "c.toml:2:6: optim.lr: too small");
}

TEST(Nearest, FindsTyposAndLeavesOtherWordsAlone) {
  const std::vector<std::string> words = {"d_hidden", "n_bands", "lr", "weight_decay"};
  EXPECT_EQ(nearest("d_hiden", words), "d_hidden");
  EXPECT_EQ(nearest("d_hiddne", words), "d_hidden") << "neighbours swapped count once";
  EXPECT_EQ(nearest("nbands", words), "n_bands");
  EXPECT_EQ(nearest("lrr", words), "lr");
  EXPECT_EQ(nearest("rl", words), "lr");
  EXPECT_EQ(nearest("weigth_decai", words), "weight_decay");
  EXPECT_EQ(nearest("momentum", words), "");
  EXPECT_EQ(nearest("ab", words), "") << "two letters, both wrong";
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(nearest("x", {}), "");
  EXPECT_EQ(nearest(std::string(1 << 20, 'x'), words), "") << "and in no time";
}

}  // namespace
}  // namespace longconv::config
