// Learning rates against the figures of models.md 8.6, and the corners of each formula.
#include "train/optim/schedule.h"

#include "core/base/error.h"
#include "tests/support/golden.h"
#include "tests/support/schedule_golden.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

#include <utility>
#include <vector>

namespace longconv::train {
namespace {

using ::longconv::testing::Figure;
using ::longconv::testing::message_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

using Case = ::longconv::testing::ScheduleCase;

class Schedules : public ::testing::TestWithParam<Case> {};

TEST_P(Schedules, GiveThePrintedRates) {
  RunConfig config;
  config::parse(config, GetParam().toml, "test.toml");
  for (const auto& [step, text] : GetParam().rates) {
    const Figure want(text);
    const double got = learning_rate(config.schedule, GetParam().peak, step);
    EXPECT_LE(std::abs(got - want.value), want.rounding + 1e-15 * GetParam().peak)
        << "step " << step << ": " << got << ", expected " << text;
  }
}

INSTANTIATE_TEST_SUITE_P(ModelsMd, Schedules,
                         ::testing::ValuesIn(::longconv::testing::published_schedules()));

INSTANTIATE_TEST_SUITE_P(
    Corners, Schedules,
    ::testing::Values(
        Case{"schedule = {name='timm_cosine', max_steps=10_000, warmup_steps=100, min_lr=6e-5, "
             "warmup_lr=1e-6}",
             6e-4,
             {{20000, "6.000000000e-5"}}},
        Case{"schedule = {name='cosine', max_steps=200_000, warmup_steps=1000}",
             0.01,
             {{300000, "0.000000000000"}}},
        Case{
            "schedule = {name='composer_linear', max_steps=70_000, warmup_steps=4200, min_lr=0.02}",
            8e-4,
            {{80000, "1.600000000e-5"}}},
        Case{"schedule = {name='linear', max_steps=100, warmup_steps=20}",
             0.8,
             {{0, "0.0000000000"},
              {10, ".4000000000"},
              {20, ".8000000000"},
              {60, ".4000000000"},
              {100, "0.0000000000"},
              {150, "0.0000000000"}}},
        Case{"schedule = {name='linear', max_steps=100, min_lr=0.2}",
             0.8,
             {{0, ".8000000000"}, {50, ".5000000000"}, {100, ".2000000000"}}},
        Case{"schedule = {name='constant', max_steps=100, warmup_steps=4}",
             0.8,
             {{0, "0.0000000000"}, {1, ".2000000000"}, {4, ".8000000000"}, {1000, ".8000000000"}}},
        // A warm-up as long as the run: nothing is divided by zero.
        Case{"schedule = {name='cosine', max_steps=10, warmup_steps=10}",
             0.8,
             {{5, ".4000000000"}, {10, "0.0000000000"}}}));

TEST(Plateau, FallsAfterMoreThanPatienceEvaluationsWithoutABetterLoss) {
  RunConfig config;
  config::parse(config,
                "schedule = {name='plateau', factor=0.5, patience=1, min_lr=0.15, max_steps=9}",
                "test.toml");
  PlateauState state;
  std::vector<double> rates;
  for (const double loss : {3.0, 2.0, 2.5, 2.0, 1.9, 1.95, 1.95, 1.95, 1.95, 1.95, 1.95}) {
    observe_validation(config.schedule, loss, state);
    rates.push_back(learning_rate(config.schedule, 0.8, 5, state));
  }
  EXPECT_THAT(rates,
              ::testing::ElementsAre(0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2, 0.15, 0.15, 0.15));
}

TEST(Plateau, LeavesOtherSchedulesAlone) {
  RunConfig config;
  PlateauState state;
  for (int i = 0; i < 5; ++i) observe_validation(config.schedule, 1.0, state);
  EXPECT_EQ(state.scale, 1.0);
  EXPECT_EQ(state.worse, 0);
}

TEST(Schedule, RefusesAWarmUpLongerThanTheRun) {
  RunConfig config;
  config::parse(config, "[schedule]\nwarmup_steps = 11\nmax_steps = 10\n", "run.toml");
  EXPECT_THAT(message_of<ConfigError>([&] { check_schedule(config.schedule); }),
              AllOf(HasSubstr("run.toml:2"), HasSubstr("schedule.warmup_steps"), HasSubstr("11"),
                    HasSubstr("10")));
}

TEST(Schedule, RefusesAFinalShareAboveOne) {
  RunConfig config;
  config::parse(config, "[schedule]\nname = 'composer_linear'\nmin_lr = 2.0\n", "run.toml");
  EXPECT_THAT(message_of<ConfigError>([&] { check_schedule(config.schedule); }),
              AllOf(HasSubstr("run.toml:3"), HasSubstr("schedule.min_lr")));
}

}  // namespace
}  // namespace longconv::train
