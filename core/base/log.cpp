#include "core/base/log.h"

#include "core/base/error.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>

namespace longconv::log {
namespace {

constexpr const char* kText = "%^%L%$ %v";
constexpr const char* kFile = "%Y-%m-%dT%H:%M:%S.%e %L %v";

struct State {
  std::mutex mutex;
  Format format = Format::text;
  std::function<void()> before;
  std::function<void()> after;
  std::shared_ptr<spdlog::sinks::stderr_color_sink_mt> console;
  std::shared_ptr<spdlog::logger> logger;

  State() {
    console = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    console->set_pattern(kText);
    logger = std::make_shared<spdlog::logger>("longconv", console);
    logger->set_level(spdlog::level::info);
    logger->flush_on(spdlog::level::info);
  }
};

State& state() {
  static State instance;
  return instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warn: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string json_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void init(Format format, Level level) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.format = format;
  const bool colour =
      format == Format::text && std::getenv("NO_COLOR") == nullptr && isatty(STDERR_FILENO) != 0;
  s.console->set_color_mode(colour ? spdlog::color_mode::always : spdlog::color_mode::never);
  s.console->set_pattern(format == Format::json
                             ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":"%v"})"
                             : kText);
  s.logger->set_level(to_spdlog(level));
}

std::function<void()> add_file(const std::filesystem::path& path) {
  State& s = state();
  std::shared_ptr<spdlog::sinks::basic_file_sink_mt> sink;
  try {
    sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string());
  } catch (const spdlog::spdlog_ex& error) {
    throw EnvironmentError(fmt::format("{}: cannot open the log file: {}", path.string(), error.what()));
  }
  sink->set_pattern(kFile);
  const std::lock_guard lock(s.mutex);
  s.logger->sinks().push_back(sink);
  return [sink] {
    State& now = state();
    const std::lock_guard guard(now.mutex);
    auto& sinks = now.logger->sinks();
    sinks.erase(std::remove(sinks.begin(), sinks.end(), sink), sinks.end());
  };
}

void set_hooks(std::function<void()> before, std::function<void()> after) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.before = std::move(before);
  s.after = std::move(after);
}

void write(Level level, std::string_view message) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  if (s.before) s.before();
  s.logger->log(to_spdlog(level),
                s.format == Format::json ? json_escape(message) : std::string(message));
  if (s.after) s.after();
}

}  // namespace longconv::log
