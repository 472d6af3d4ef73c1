#include "tests/core/config/small_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <string>

namespace longconv::config {
namespace {

using ::testing::HasSubstr;

constexpr const char* kDefaults =
    R"(# One run
seed = 2222  # seed (default 2222)

# The model
[model]
family = "hyena"    # family (default "hyena")
layers = []         # layers (default [])
names = ["a", "b"]  # names (default ["a", "b"])

# Implicit filter
[model.filter]
d_hidden = 64    # width (>= 1; default 64)
n_bands = 16     # bands (from 1 to 64; default 16)
decay = 0.3      # decay (>= 0; default 0.3)
modulate = true  # window (default true)

# The optimiser
[optim]
name = "adamw"       # optimiser (one of "adamw", "sgd"; default "adamw")
lr = 0.0006          # peak learning rate (> 0; default 0.0006)
dropout = 0.0        # share (from 0 to 1; default 0.0)
betas = [0.9, 0.98]  # moments (default [0.9, 0.98])
# [[optim.group]] tables may follow: Parameters by name
)";

std::string reprinted(const std::string& text) {
  SmallConfig config;
  parse(config, text, "printed.toml");
  return print(config);
}

TEST(ConfigPrint, ShowsEveryKeyWithHelpRangeAndDefault) {
  EXPECT_EQ(print(SmallConfig()), kDefaults);
}

TEST(ConfigPrint, PrintingWhatWasPrintedGivesTheSameText) {
  EXPECT_EQ(reprinted(kDefaults), kDefaults);

  SmallConfig config;
  config.seed.set(std::numeric_limits<std::int64_t>::min());
  config.model.family.set("tab\t quote\" slash\\ line\n del\x7f bell\a caf\xc3\xa9 #");
  config.model.names.set({"", "'''", std::string("a\0b", 3)});
  config.model.layers.set({-1, 0, std::numeric_limits<std::int64_t>::max()});
  config.optim.betas.set({-0.0, 1e22, 5e-324, 0.1 + 0.2, 123456789.0});
  config.optim.group.append().match.set("*.filter.*");
  config.optim.group.append().lr.set(1e-5);
  const std::string text = print(config);
  EXPECT_EQ(reprinted(text), text);

  SmallConfig back;
  parse(back, text, "printed.toml");
  EXPECT_EQ(back.seed(), config.seed());
  EXPECT_EQ(back.model.family(), config.model.family());
  EXPECT_EQ(back.model.names(), config.model.names());
  EXPECT_EQ(back.model.layers(), config.model.layers());
  EXPECT_EQ(back.optim.group[0].match(), "*.filter.*");
  EXPECT_EQ(back.optim.group[1].lr(), 1e-5);
}

TEST(ConfigPrint, DoublesReadBackBitForBit) {
  for (const double x : {6e-4, 1.0 / 3.0, 1e-8, 1e300, 5e-324, -0.0, 1.0, 1e15, 1e16, 1e17,
                         std::numeric_limits<double>::max(), 0.1 + 0.2}) {
    SmallConfig config;
    config.optim.betas.set({x});
    SmallConfig back;
    parse(back, print(config), "printed.toml");
    const double got = back.optim.betas().at(0);
    EXPECT_EQ(std::bit_cast<std::uint64_t>(got), std::bit_cast<std::uint64_t>(x)) << x;
  }
}

TEST(ConfigPrint, DoublesAreWrittenShort) {
  SmallConfig config;
  config.optim.betas.set({0.1, 6e-4, 1e-5, 2.0, 1e20});
  EXPECT_EQ(config.optim.betas.to_toml(), "[0.1, 0.0006, 1e-05, 2.0, 1e+20]");
}

TEST(ConfigPrint, ElementsOfAListComeAsTables) {
  SmallConfig config;
  config.optim.group.append().match.set("*.bias");
  EXPECT_THAT(print(config), HasSubstr("\n# By name\n[[optim.group]]\n"
                                       "match = \"*.bias\"  # pattern (default \"\")\n"
                                       "lr = -1.0         # learning rate (default -1.0)\n"));
}

TEST(ConfigPrint, ATableAloneReadsBackIntoItself) {
  SmallConfig config;
  config.optim.lr.set(0.5);
  SmallConfig back;
  parse(back.optim, print(config.optim), "printed.toml");
  EXPECT_EQ(back.optim.lr(), 0.5);
  EXPECT_EQ(print(back.optim), print(config.optim));
}

}  // namespace
}  // namespace longconv::config
