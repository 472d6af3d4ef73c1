// longconv data bench: how fast a run's data come, and how long its steps would wait for them.
#include "apps/commands.h"
#include "apps/print_facts.h"
#include "core/base/log.h"
#include "core/runtime/device.h"
#include "train/loop/feed.h"
#include "train/loop/shape.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

namespace longconv::apps {
namespace {

using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

struct Tally {
  double seconds = 0.0;
  std::int64_t items = 0;
  std::int64_t tokens = 0;  // padding included
  std::vector<double> waits_ms;
};

/// Takes `steps` steps' batches; between them the caller would compute for `step_ms`.
Tally take_steps(data::Loader& loader, std::int64_t steps, double step_ms, c10::Device device) {
  Tally tally;
  const Clock::time_point start = Clock::now();
  for (std::int64_t step = 0; step < steps; ++step) {
    double wait_ms = 0.0;
    const std::int64_t passes = loader.passes();
    for (std::int64_t pass = 0; pass < passes; ++pass) {
      const Clock::time_point asked = Clock::now();
      const data::Batch batch = loader.next();
      runtime::synchronize(device);
      wait_ms += ms_since(asked);
      tally.items += batch.input.size(0);
      tally.tokens += batch.input.numel();
      if (step_ms > 0.0) {
        std::this_thread::sleep_for(
            std::chrono::duration<double, std::milli>(step_ms / static_cast<double>(passes)));
      }
    }
    tally.waits_ms.push_back(wait_ms);
  }
  tally.seconds = 1e-3 * ms_since(start);
  return tally;
}

}  // namespace

ExitCode data_bench(const DataBenchOptions& options) {
  train::RunConfig config;
  config::load(config, options.config);
  for (const std::string& text : options.overrides) config::apply_override(config, text);
  const c10::Device device = runtime::choose_device(config.run.device());
  train::resolve_shape(config);
  const data::TaskData data = data::open_task_data(config.data);
  const auto loader = train::make_loader(config, data, device);

  log::info("taking {} steps, after one that makes files and memory ready", options.steps);
  take_steps(*loader, 1, 0.0, device);
  const Tally free = take_steps(*loader, options.steps, 0.0, device);
  const auto per_second = [&](std::int64_t count) {
    return static_cast<double>(count) / free.seconds;
  };
  ordered_json result{{"config", options.config},
                      {"device", device.str()},
                      {"workers", config.data.workers()},
                      {"steps", options.steps},
                      {"items_per_s", per_second(free.items)},
                      {"tokens_per_s", per_second(free.tokens)},
                      {"ms_per_step", 1e3 * free.seconds / static_cast<double>(options.steps)}};
  const Tally paced =
      options.step_ms > 0.0 ? take_steps(*loader, options.steps, options.step_ms, device) : free;
  const std::vector<double>& waits = paced.waits_ms;
  const double wait_ms =
      std::accumulate(waits.begin(), waits.end(), 0.0) / static_cast<double>(waits.size());
  result["step_ms"] = options.step_ms;
  result["wait_ms"] = wait_ms;
  result["wait_ms_longest"] = *std::max_element(waits.begin(), waits.end());
  result["wait_share"] = wait_ms / (wait_ms + options.step_ms);
  print_result(result.dump(2), options.json);
  return ExitCode::ok;
}

}  // namespace longconv::apps
