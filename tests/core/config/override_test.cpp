#include "core/base/error.h"
#include "tests/core/config/small_config.h"
#include "tests/support/temp_folder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace longconv::config {
namespace {

using testing::message_of;

std::string error_of(const std::string& text) {
  SmallConfig config;
  return message_of<ConfigError>([&] { apply_override(config, text); });
}

TEST(Override, TakesTomlValuesAndBareWords) {
  SmallConfig config;
  for (const char* text :
       {"seed=3", " optim.lr = 1e-4 ", "optim.betas=[0.5, 1]", "model.filter.modulate=false",
        "optim.name=sgd", "model.names=['x', \"y\"]"}) {
    apply_override(config, text);
  }
  EXPECT_EQ(config.seed(), 3);
  EXPECT_EQ(config.optim.lr(), 1e-4);
  EXPECT_EQ(config.optim.betas(), (std::vector<double>{0.5, 1.0}));
  EXPECT_FALSE(config.model.filter.modulate());
  EXPECT_EQ(config.optim.name(), "sgd");
  EXPECT_EQ(config.model.names(), (std::vector<std::string>{"x", "y"}));
}

TEST(Override, BareWordsStayWhatWasTyped) {
  for (const std::string word :
       {"/a/b.c.d.e.f.g.h.i.j/*.bin", "cuda:1", "a # b", "it's", "say \"hi\"", "back\\slash", "",
        "1\nseed = 4", "k=v", "\xc3\xa9", "...."}) {
    SmallConfig config;
    apply_override(config, "model.family=" + word);
    EXPECT_EQ(config.model.family(), word);
    EXPECT_EQ(config.seed(), 2222) << "an override sets one key";
  }
}

TEST(Override, SaysWhereAValueCameFrom) {
  SmallConfig config;
  apply_override(config, "seed=3");
  EXPECT_EQ(config.seed.origin().file, "override \"seed=3\"");
  EXPECT_EQ(config.seed.origin().line, 0);
  EXPECT_TRUE(config.seed.is_set());
  EXPECT_EQ(message_of<ConfigError>([&] { config.seed.fail("too odd"); }),
            "override \"seed=3\": seed: too odd");
}

TEST(Override, GetsTheChecksOfAFile) {
  EXPECT_EQ(error_of("optim.lr=0"),
            "override \"optim.lr=0\": optim.lr: expected a number > 0, got 0");
  EXPECT_EQ(error_of("optim.lr=fast"),
            "override \"optim.lr=fast\": optim.lr: expected a number > 0, got \"fast\" (a string)");
  EXPECT_EQ(error_of("model.layers=[1, x]"),
            "override \"model.layers=[1, x]\": expected a TOML value: Error while parsing value: "
            "could not determine value type");
  EXPECT_EQ(error_of("model.layers=[1, '2']"),
            "override \"model.layers=[1, '2']\": model.layers: expected an array of integers, got "
            "\"2\" (a string) as item 2");
  EXPECT_EQ(error_of("model.filter.d_hiden=3"),
            "override \"model.filter.d_hiden=3\": model.filter.d_hiden: unknown key; did you mean "
            "d_hidden?\n  [model.filter] takes: d_hidden, n_bands, decay, modulate");
  EXPECT_EQ(error_of("modl.family=x"),
            "override \"modl.family=x\": modl.family: unknown key; did you mean model?\n"
            "  the top level takes: seed, model, optim");
}

TEST(Override, ANumberForAStringNeedsQuotesInsideQuotes) {
  const std::string message = error_of("model.family=12");
  EXPECT_EQ(message,
            "override \"model.family=12\": model.family: expected a string, got 12 (an integer); "
            "write 'model.family=\"12\"'");
  SmallConfig config;
  apply_override(config, "model.family=\"12\"");
  EXPECT_EQ(config.model.family(), "12") << "the advice must work";
}

TEST(Override, ListsOfTablesCannotBeOverridden) {
  for (const std::string path :
       {"optim.group", "optim.group[0].lr", "optim.group.0.lr", "optim.group.lr"}) {
    EXPECT_EQ(
        error_of(path + "=1"),
        fmt::format("override \"{0}=1\": {0}: a list of tables cannot be overridden; write it "
                    "as [[optim.group]] in the file",
                    path));
  }
}

TEST(Override, NeedsAKeyAndAnEqualsSign) {
  EXPECT_EQ(error_of("seed"), "override \"seed\": expected key=value, got no \"=\"");
  EXPECT_EQ(error_of("optim=3"),
            "override \"optim=3\": optim: is a table; override one of its keys, e.g. "
            "optim.name=...");
  EXPECT_EQ(error_of("optim.lr.x=3"),
            "override \"optim.lr.x=3\": optim.lr.x: optim.lr is a key, not a table");
  EXPECT_THAT(error_of("=3"), ::testing::HasSubstr("unknown key"));
  EXPECT_THAT(error_of("optim..lr=3"), ::testing::HasSubstr("unknown key"));
  EXPECT_EQ(error_of("model.family=\xff"), "override \"model.family=\xff\": expected UTF-8 text");
}

}  // namespace
}  // namespace longconv::config
