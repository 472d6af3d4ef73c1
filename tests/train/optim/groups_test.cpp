// Parameter groups: patterns, who wins, and what the resolved file shows.
#include "train/optim/groups.h"

#include "core/base/error.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

namespace longconv::train {
namespace {

using ::longconv::testing::message_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Glob, MatchesWholeNames) {
  EXPECT_TRUE(glob_match("a.*.weight", "a.0.b.weight"));
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("**a*", "bab"));
  EXPECT_TRUE(glob_match("layers.?.bias", "layers.3.bias"));
  EXPECT_TRUE(glob_match("*ab*ab", "abxabab"));
  EXPECT_FALSE(glob_match("layers.?.bias", "layers.13.bias"));
  EXPECT_FALSE(glob_match("a", "ab"));
  EXPECT_FALSE(glob_match("b*", "ab"));
  EXPECT_FALSE(glob_match("", "a"));
  EXPECT_FALSE(glob_match("a?", "a"));
}

/// Two layers whose filter has its own settings, and whose positions have others.
std::vector<ParameterInfo> parameters() {
  std::vector<ParameterInfo> out = {{{"embedding.weight", "head.weight"}, {}, {}}};
  for (const char* layer : {"layers.0.", "layers.1."}) {
    const std::string at = layer;
    out.push_back({{at + "filter.mlp.0.weight"}, 1e-3, 0.0});
    out.push_back({{at + "filter.mlp.0.bias"}, 1e-3, 0.0});
    out.push_back({{at + "filter.mlp.2.weight"}, 1e-3, 0.0});
    out.push_back({{at + "filter.z"}, {}, 0.0});
    out.push_back({{at + "filter.bias"}, {}, {}});
    out.push_back({{at + "norm.weight"}, {}, {}});
  }
  return out;
}

constexpr const char* kOptim = "[optim]\nlr = 0.5\nweight_decay = 0.25\n";

GroupSetting setting_of(const RunConfig& config, const std::string& name) {
  const auto all = parameters();
  const auto settings = group_settings(config.optim, all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const std::string& own : all[i].names) {
      if (own == name) return settings[i];
    }
  }
  throw std::runtime_error("no parameter " + name);
}

TEST(Groups, InheritTheOptimisersSettingsWhereTheModelSaysNothing) {
  RunConfig config;
  config::parse(config, kOptim, "run.toml");
  EXPECT_EQ(setting_of(config, "head.weight"), (GroupSetting{0.5, 0.25}));
  EXPECT_EQ(setting_of(config, "layers.1.filter.z"), (GroupSetting{0.5, 0.0}));
  EXPECT_EQ(setting_of(config, "layers.0.filter.mlp.2.weight"), (GroupSetting{1e-3, 0.0}));
}

TEST(Groups, OfTheUserWinOverTheModelsOwnAndTheFirstMatchDecides) {
  RunConfig config;
  config::parse(config,
                std::string(kOptim) +
                    "[[optim.group]]\nmatch = '*.mlp.0.*'\nlr = 0.125\n"
                    "[[optim.group]]\nmatch = '*filter*'\nlr = 0.0625\nweight_decay = 1.0\n"
                    "[[optim.group]]\nmatch = 'head.*'\nweight_decay = 0.0\n",
                "run.toml");
  append_default_groups(config.optim, parameters());
  EXPECT_EQ(setting_of(config, "layers.0.filter.mlp.0.bias"), (GroupSetting{0.125, 1.0}));
  EXPECT_EQ(setting_of(config, "layers.0.filter.mlp.2.weight"), (GroupSetting{0.0625, 1.0}));
  EXPECT_EQ(setting_of(config, "layers.1.norm.weight"), (GroupSetting{0.5, 0.25}));
  EXPECT_EQ(setting_of(config, "embedding.weight"), (GroupSetting{0.5, 0.0})) << "an alias matched";
}

TEST(Groups, DefaultsAreFewExactPatterns) {
  RunConfig config;
  config::parse(config, kOptim, "run.toml");
  append_default_groups(config.optim, parameters());
  ASSERT_EQ(config.optim.group.size(), 2U);
  EXPECT_EQ(config.optim.group[0].match(), "layers.*.filter.mlp.*");
  EXPECT_EQ(config.optim.group[0].lr(), 1e-3);
  EXPECT_EQ(config.optim.group[0].weight_decay(), 0.0);
  EXPECT_EQ(config.optim.group[1].match(), "layers.*.filter.z");
  EXPECT_LT(config.optim.group[1].lr(), 0.0) << "inherited";
}

TEST(Groups, DefaultsFallBackToNamesWhereLayersDiffer) {
  std::vector<ParameterInfo> all = parameters();
  all[1].lr = 2e-3;  // layers.0.filter.mlp.0.weight
  RunConfig config;
  append_default_groups(config.optim, all);
  const auto settings = group_settings(config.optim, all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(settings[i].lr, all[i].lr.value_or(config.optim.lr())) << all[i].names[0];
    EXPECT_EQ(settings[i].weight_decay, all[i].weight_decay.value_or(config.optim.weight_decay()))
        << all[i].names[0];
  }
}

TEST(Groups, AResolvedFileResolvesToItself) {
  RunConfig config;
  config::parse(config, std::string(kOptim) + "[[optim.group]]\nmatch = '*.z'\nlr = 0.0\n",
                "run.toml");
  append_default_groups(config.optim, parameters());
  const std::string once = config::print(config);
  RunConfig again;
  config::parse(again, once, "resolved.toml");
  append_default_groups(again.optim, parameters());
  EXPECT_EQ(config::print(again), once);
  EXPECT_EQ(group_settings(again.optim, parameters()), group_settings(config.optim, parameters()));
  EXPECT_THAT(once, HasSubstr("layers.*.filter.mlp.*"));
}

TEST(Groups, APatternThatMatchesNothingIsAnErrorAtItsLine) {
  RunConfig config;
  config::parse(config, "[[optim.group]]\nmatch = 'layers.0.norm.wieght'\nlr = 0.1\n", "run.toml");
  EXPECT_THAT(message_of<ConfigError>([&] { group_settings(config.optim, parameters()); }),
              AllOf(HasSubstr("run.toml:2"), HasSubstr("layers.0.norm.wieght"),
                    HasSubstr("layers.0.norm.weight")));
}

TEST(Groups, AGroupWithoutPatternIsAnError) {
  RunConfig config;
  config::parse(config, "[[optim.group]]\nlr = 0.1\n", "run.toml");
  EXPECT_THAT(message_of<ConfigError>([&] { group_settings(config.optim, parameters()); }),
              HasSubstr("match"));
}

}  // namespace
}  // namespace longconv::train
