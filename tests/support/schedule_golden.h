// Learning rates as models.md 8.6 prints them. No LibTorch here.
#pragma once

#include <cstdint>
#include <ostream>
#include <utility>
#include <vector>

namespace longconv::testing {

struct ScheduleCase {
  const char* toml;
  double peak;
  std::vector<std::pair<std::int64_t, const char*>> rates;  ///< step, learning rate as printed
};
inline void PrintTo(const ScheduleCase& c, std::ostream* out) { *out << c.toml; }

/// timm's cosine, Hugging Face's, Composer's linear one.
inline std::vector<ScheduleCase> published_schedules() {
  return {{"schedule = {name='timm_cosine', max_steps=10_000, warmup_steps=100, min_lr=6e-5, "
           "warmup_lr=1e-6}",
           6e-4,
           {{0, "1.000000000e-6"},
            {50, ".0003005000000"},
            {99, ".00059401000000"},
            {100, ".0005998667713"},
            {5000, ".0003300000000"},
            {9999, "6.000001332e-5"},
            {10000, "6.000000000e-5"}}},
          {"schedule = {name='cosine', max_steps=200_000, warmup_steps=1000}",
           0.01,
           {{0, "0.000000000000"},
            {500, ".005000000000"},
            {1000, ".010000000000"},
            {100000, ".005039466835"},
            {200000, "0.000000000000"}}},
          {"schedule = {name='composer_linear', max_steps=70_000, warmup_steps=4200, min_lr=0.02}",
           8e-4,
           {{0, "0.0000000000000"},
            {2100, ".0004000000000"},
            {4200, ".0008000000000"},
            {35000, ".0004330212766"},
            {70000, "1.600000000e-5"}}}};
}

}  // namespace longconv::testing
