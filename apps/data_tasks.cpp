// longconv data generate, and data prepare of labelled data sets: both write one sample shard.
#include "apps/commands.h"
#include "core/base/check.h"
#include "core/config/section.h"
#include "data/tasks/brain_series.h"
#include "data/tasks/dna_labelled.h"
#include "data/tasks/glue.h"
#include "data/tasks/labelled.h"
#include "data/tasks/listops.h"
#include "data/tasks/pathfinder.h"
#include "data/tasks/recall.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

namespace longconv::apps {
namespace {

std::int64_t hardware_threads() {
  return std::max<std::int64_t>(1, std::thread::hardware_concurrency());
}

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
      maker<data::ListOpsConfig>("listops", &data::write_listops),
      maker<data::RecallConfig>("recall", &data::write_recall),
      maker<data::InductionConfig>("induction", &data::write_induction),
      maker<data::BrainGeneratorConfig>("brain", &data::write_brain_series),
  };
  return all;
}

using Folder = std::filesystem::path;

/// A data set that comes as files: its name, and what turns a folder into a shard.
struct Preparer {
  std::string_view name;
  std::function<data::Written(const Folder& source, const std::vector<std::string>& settings,
                              const Folder& out)>
      run;
};

/// `write(config, source, out, threads)` with the command line's settings in a `Config`.
template <class Config, class Write>
Preparer preparer(std::string_view name, Write write) {
  return {name, [write](const Folder& source, const std::vector<std::string>& settings,
                        const Folder& out) {
            Config config;
            for (const std::string& setting : settings) config::apply_override(config, setting);
            return write(config, source, out, hardware_threads());
          }};
}

const std::vector<Preparer>& preparers() {
  static const std::vector<Preparer> all = {
      preparer<data::PathfinderFilesConfig>("pathfinder", &data::prepare_pathfinder),
      preparer<data::ListOpsFilesConfig>("listops", &data::prepare_listops),
      preparer<data::ImdbConfig>("imdb", &data::prepare_imdb),
      preparer<data::AanConfig>("aan", &data::prepare_aan),
      preparer<data::CifarConfig>("cifar10", &data::prepare_cifar),
      preparer<data::MnistConfig>("mnist", &data::prepare_mnist),
      preparer<data::GenomicBenchmarkConfig>("genomic_benchmark", &data::prepare_genomic_benchmark),
      preparer<data::NucleotideTransformerConfig>("nucleotide_transformer",
                                                  &data::prepare_nucleotide_task),
      preparer<data::DnaFastaConfig>("dna_fasta", &data::prepare_dna_fasta),
      preparer<data::GlueFilesConfig>("glue", &data::prepare_glue),
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
  const std::int64_t threads = options.threads > 0 ? options.threads : hardware_threads();
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

bool is_labelled_data_set(const std::vector<std::string>& sources) {
  return sources.size() >= 2 &&
         std::any_of(preparers().begin(), preparers().end(),
                     [&](const Preparer& each) { return each.name == sources.front(); });
}

ExitCode prepare_labelled(const DataPrepareOptions& options) {
  const std::vector<std::string>& words = options.text.sources;
  const std::string& task = words.front();
  const std::string file = options.text.out.string();
  const auto found = std::find_if(preparers().begin(), preparers().end(),
                                  [&](const Preparer& each) { return each.name == task; });
  const auto begin = std::chrono::steady_clock::now();
  const data::Written done = found->run(words[1], {words.begin() + 2, words.end()}, file);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  if (options.json) {
    const nlohmann::ordered_json out = {{"file", file},
                                        {"task", task},
                                        {"samples", done.samples},
                                        {"skipped", done.skipped},
                                        {"seconds", seconds.count()}};
    fmt::print("{}\n", out.dump(2));
    return ExitCode::ok;
  }
  fmt::print("{}: {} samples of {} in {:.1f} s, {} left out\n", file, done.samples, task,
             seconds.count(), done.skipped);
  return ExitCode::ok;
}

}  // namespace longconv::apps
