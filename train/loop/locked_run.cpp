#include "train/loop/locked_run.h"

#include "core/base/log.h"
#include "core/files/atomic_file.h"
#include "train/checkpoint/folder.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <thread>

namespace longconv::train {
namespace fs = std::filesystem;
namespace {

const fs::path& made(const fs::path& folder) {
  files::create_folders(folder);
  return folder;
}

}  // namespace

LockedRun::LockedRun(const fs::path& folder) : path_(made(folder)), lock_(folder / "lock") {
  remove_leftovers(path_);
  stop_log_ = log::add_file(path_ / "log.txt");
}

LockedRun::~LockedRun() { stop_log_(); }

void LockedRun::describe(const RunConfig& config, const Launch& launch,
                         const data::Tokenizer* tokenizer,
                         const std::vector<std::pair<std::string, std::string>>& facts) const {
  files::write_atomic(path_ / "config.toml", config::print(config));
  std::string overrides;
  for (const std::string& text : launch.overrides) overrides += text + "\n";
  files::write_atomic(path_ / "overrides.txt", overrides);

  utsname system{};
  ::uname(&system);
  nlohmann::json environment = {
      {"started", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))},
      {"host", system.nodename},
      {"system", fmt::format("{} {} {}", system.sysname, system.release, system.machine)},
      {"pid", ::getpid()},
      {"cores", std::thread::hardware_concurrency()},
      {"program", launch.program},
      {"config_path", launch.config_path},
      {"config_text", launch.config_text},
  };
  for (const auto& [name, value] : facts) environment[name] = value;
  using nlohmann::json;
  files::write_atomic(path_ / "environment.json",
                      environment.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
  if (tokenizer != nullptr) tokenizer->save(path_ / "tokenizer");
}

}  // namespace longconv::train
