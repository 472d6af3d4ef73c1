// longconv train: one TOML file to one trained model.
#include "apps/commands.h"
#include "apps/version.h"
#include "core/base/log.h"
#include "core/files/atomic_file.h"
#include "train/loop/trainer.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

namespace longconv::apps {
namespace {

namespace fs = std::filesystem;

/// What the user can do next, with the paths that exist now.
void say_what_next(const train::Outcome& outcome, const TrainOptions& options,
                   const std::string& head) {
  const std::string run = outcome.folder.string();
  if (outcome.code == ExitCode::interrupted_saved) {
    log::info("go on with:  longconv train {}{}{}", options.config,
              options.overrides.empty() ? "" : " ", fmt::join(options.overrides, " "));
    return;
  }
  log::info("checkpoints  {}/checkpoints (best, latest)", run);
  log::info("metrics      {}/metrics.jsonl", run);
  if (fs::exists(outcome.folder / "report.html")) log::info("report       {}/report.html", run);
  log::info("try next     longconv report {}", run);
  if (head == "classifier") log::info("             longconv eval {} accuracy", run);
  if (head == "lm" || head == "mlm") log::info("             longconv eval {} perplexity", run);
  if (head == "lm") log::info("             longconv generate {} --prompt \"...\"", run);
}

}  // namespace

ExitCode train(const TrainOptions& options) {
  train::RunConfig config;
  config::load(config, options.config);
  for (const std::string& text : options.overrides) config::apply_override(config, text);
  if (options.print_config) {
    train::resolve(config, options.config);
    fmt::print("{}", config::print(config));
    return ExitCode::ok;
  }
  train::Launch launch;
  launch.config_path = options.config;
  launch.config_text = files::read_text(options.config);
  launch.overrides = options.overrides;
  launch.dry_run = options.dry_run;
  launch.progress = options.progress;
  const Version built = version();
  launch.program = fmt::format("longconv {}, commit {}", built.version, built.commit);
  const train::Outcome outcome = train::train(config, launch);
  if (options.dry_run) {
    fmt::print("ok: {} can be trained\n", options.config);
    return outcome.code;
  }
  const std::string& head = config.model.head.kind();
  say_what_next(outcome, options, head);
  std::string result = fmt::format("{}: step {}", outcome.folder.string(), outcome.step);
  if (std::isfinite(outcome.best_validation_loss)) {
    result += fmt::format(", validation loss {:.4f} (best {:.4f}", outcome.validation_loss,
                          outcome.best_validation_loss);
    if (head == "lm" || head == "mlm") {
      result += fmt::format(", perplexity {:.3f}", std::exp(outcome.best_validation_loss));
    }
    result += ")";
  }
  fmt::print("{}\n", result);
  return outcome.code;
}

}  // namespace longconv::apps
