// Learning rate as a pure function of the optimiser step t, one formula per name:
//
//   timm_cosine      t<w: i + t(b-i)/w;  t<T: m + (b-m)(1+cos(pi t/T))/2;  else m     (clock not
//   shifted) cosine           t<w: b t/w;         else m + (b-m)(1+cos(pi (t-w)/(T-w)))/2 (Hugging
//   Face, m = 0) linear           t<w: b t/w;         else m + (b-m)(T-t)/(T-w) (Hugging Face, m =
//   0) composer_linear  t<w: b t/w;         else b (1 + (a-1) min(1, (t-w)/(T-w))) constant t<w: b
//   t/w;         else b plateau          constant, times factor^k after k plateaus of the
//   validation loss, not below m
//
// b is a group's own peak, T = max_steps, w = warmup_steps, i = warmup_lr, m = min_lr (a = min_lr
// for composer_linear). i and m are absolute and common to all groups. No LibTorch here.
#pragma once

#include "train/config.h"

#include <cstdint>
#include <limits>

namespace longconv::train {

/// What "plateau" remembers; the other schedules leave it untouched. Part of every checkpoint.
struct PlateauState {
  double scale = 1.0;                                     ///< factor^k
  double best = std::numeric_limits<double>::infinity();  ///< lowest validation loss so far
  std::int64_t worse = 0;  ///< evaluations since then without a better one
};

/// Learning rate of a group with peak `base` for optimiser step `step` (0 = the first).
double learning_rate(const ScheduleConfig& schedule, double base, std::int64_t step,
                     const PlateauState& plateau = {});

/// Tells "plateau" a validation loss: after more than `patience` evaluations without a lower one
/// the scale falls by `factor`. Does nothing for the other schedules.
void observe_validation(const ScheduleConfig& schedule, double loss, PlateauState& state);

/// Throws ConfigError at the key that does not fit the others (warm-up longer than the run,
/// composer_linear with a final share above 1).
void check_schedule(const ScheduleConfig& schedule);

}  // namespace longconv::train
