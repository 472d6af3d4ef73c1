// longconv data generate: labelled data sets that are made rather than read.
#include "apps/commands.h"
#include "core/base/check.h"
#include "core/config/section.h"
#include "data/tasks/pathfinder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

namespace longconv::apps {
namespace {

/// A task: its name, and what writes its shard; nothing where only its keys were asked for.
struct Maker {
  std::string_view name;
  std::function<std::optional<data::Generated>(const DataGenerateOptions&, std::int64_t threads)>
      run;
};

/// `write(config, path, threads)` with the command line's settings in a `Config`.
template <class Config, class Write>
Maker maker(std::string_view name, Write write) {
  return {name,
          [name, write](const DataGenerateOptions& options,
                        std::int64_t threads) -> std::optional<data::Generated> {
            Config config;
            for (const std::string& setting : options.settings) {
              config::apply_override(config, setting);
            }
            if (options.print_config) {
              fmt::print("{}", config::print(config));
              return std::nullopt;
            }
            LONGCONV_CHECK(!options.out.empty(), UsageError,
                           "data generate {}: --out FILE is missing", name);
            return write(config, options.out, threads);
          }};
}

const std::vector<Maker>& makers() {
  static const std::vector<Maker> all = {
      maker<data::PathfinderConfig>("pathfinder", &data::write_pathfinder),
  };
  return all;
}

}  // namespace

ExitCode data_generate(const DataGenerateOptions& options) {
  const auto found = std::find_if(makers().begin(), makers().end(),
                                  [&](const Maker& each) { return each.name == options.task; });
  if (found == makers().end()) {
    std::vector<std::string_view> names;
    for (const Maker& each : makers()) names.push_back(each.name);
    throw UsageError(fmt::format("data generate: unknown task \"{}\"; there are: {}", options.task,
                                 fmt::join(names, ", ")));
  }
  const std::int64_t threads = options.threads > 0
                                   ? options.threads
                                   : std::max<std::int64_t>(1, std::thread::hardware_concurrency());
  const std::optional<data::Generated> done = found->run(options, threads);
  if (!done) return ExitCode::ok;
  if (options.json) {
    const nlohmann::ordered_json out = {{"file", options.out},
                                        {"task", options.task},
                                        {"samples", done->samples},
                                        {"threads", threads},
                                        {"seconds", done->seconds}};
    fmt::print("{}\n", out.dump(2));
    return ExitCode::ok;
  }
  fmt::print("{}: {} samples in {:.1f} s on {} threads, {:.3f} ms each\n", options.out,
             done->samples, done->seconds, threads,
             done->seconds * 1e3 / static_cast<double>(std::max<std::int64_t>(done->samples, 1)));
  return ExitCode::ok;
}

}  // namespace longconv::apps
