// The published learning rates, as docs/fidelity.md lists them; the corners of each formula are in
// tests/train/optim.
#include "tests/models/fidelity.h"
#include "tests/support/golden.h"
#include "tests/support/schedule_golden.h"
#include "train/optim/schedule.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace longconv::testing {
namespace {

TEST(Schedules, GiveThePublishedRates) {
  for (const ScheduleCase& c : published_schedules()) {
    train::RunConfig config;
    config::parse(config, c.toml, "test.toml");
    for (const auto& [step, printed] : c.rates) {
      const Figure want(printed);
      const double got = train::learning_rate(config.schedule, c.peak, step);
      EXPECT_LE(std::abs(got - want.value), want.rounding + 1e-15 * c.peak) << c.toml << step;
      // Ten digits, as many as are published.
      record_figure({fmt::format("{}, learning rate of step {}", config.schedule.name(), step),
                     fmt::format("{:.10g}", want.value), fmt::format("{:.10g}", got)});
    }
  }
}

}  // namespace
}  // namespace longconv::testing
