#include "train/optim/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace longconv::train {
namespace {

/// 1 at progress 0, 0 at progress 1.
double half_cosine(double progress) { return 0.5 * (1.0 + std::cos(std::numbers::pi * progress)); }

}  // namespace

double learning_rate(const ScheduleConfig& schedule, double base, std::int64_t step,
                     const PlateauState& plateau) {
  const std::string& name = schedule.name();
  const double t = static_cast<double>(step);
  const double warmup = static_cast<double>(schedule.warmup_steps());
  const double total = static_cast<double>(schedule.max_steps());
  const double low = schedule.min_lr();

  if (name == "timm_cosine") {
    if (t < warmup) return schedule.warmup_lr() + t * (base - schedule.warmup_lr()) / warmup;
    return t < total ? low + (base - low) * half_cosine(t / total) : low;
  }
  if (t < warmup) return base * t / warmup;
  if (name == "constant") return base;
  if (name == "plateau") return std::max(std::min(low, base), base * plateau.scale);
  const double progress = t < total ? (t - warmup) / (total - warmup) : 1.0;
  if (name == "composer_linear") return base * (1.0 + (low - 1.0) * progress);
  return low + (base - low) * (name == "cosine" ? half_cosine(progress) : 1.0 - progress);
}

void observe_validation(const ScheduleConfig& schedule, double loss, PlateauState& state) {
  if (schedule.name() != "plateau") return;
  if (loss < state.best) {
    state.best = loss;
    state.worse = 0;
  } else if (++state.worse > schedule.patience()) {
    state.scale *= schedule.factor();
    state.worse = 0;
  }
}

void check_schedule(const ScheduleConfig& schedule) {
  if (schedule.warmup_steps() > schedule.max_steps()) {
    schedule.warmup_steps.fail(fmt::format(
        "expected at most schedule.max_steps = {}, got {}; the run would end inside its warm-up",
        schedule.max_steps(), schedule.warmup_steps()));
  }
  if (schedule.name() == "composer_linear" && schedule.min_lr() > 1.0) {
    schedule.min_lr.fail(fmt::format(
        "expected a share of optim.lr, 0 to 1, for composer_linear, got {}", schedule.min_lr()));
  }
}

}  // namespace longconv::train
