#include "core/base/log.h"

#include "core/base/error.h"

#include <spdlog/details/log_msg.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace longconv::log {
namespace {

constexpr const char* kText = "%^%L%$ %v";
constexpr const char* kFile = "%Y-%m-%dT%H:%M:%S.%e %L %v";

using FileSink = std::shared_ptr<spdlog::sinks::basic_file_sink_mt>;

struct State {
  std::mutex mutex;
  Format format = Format::text;
  spdlog::level::level_enum level = spdlog::level::info;
  std::function<void()> before;
  std::function<void()> after;
  spdlog::sinks::stderr_color_sink_mt console;
  std::vector<FileSink> files;

  State() { console.set_pattern(kText); }
};

State& state() {
  static State instance;
  return instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
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
  s.console.set_color_mode(colour ? spdlog::color_mode::always : spdlog::color_mode::never);
  s.console.set_pattern(format == Format::json
                            ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":"%v"})"
                            : kText);
  s.level = to_spdlog(level);
}

std::function<void()> add_file(const std::filesystem::path& path) {
  State& s = state();
  FileSink sink;
  try {
    sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string());
  } catch (const spdlog::spdlog_ex& error) {
    throw EnvironmentError(
        fmt::format("{}: cannot open the log file: {}", path.string(), error.what()));
  }
  sink->set_pattern(kFile);
  const std::lock_guard lock(s.mutex);
  s.files.push_back(sink);
  return [sink] {
    State& now = state();
    const std::lock_guard guard(now.mutex);
    now.files.erase(std::remove(now.files.begin(), now.files.end(), sink), now.files.end());
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
  const spdlog::level::level_enum as = to_spdlog(level);
  if (as < s.level) return;
  // The sinks are called directly: only the console has the JSON form, files stay text.
  const std::string shown = s.format == Format::json ? json_escape(message) : std::string(message);
  if (s.before) s.before();
  s.console.log(spdlog::details::log_msg("longconv", as, shown));
  s.console.flush();
  std::vector<FileSink> broken;
  for (const FileSink& file : s.files) {
    try {
      file->log(spdlog::details::log_msg("longconv", as, message));
      file->flush();
    } catch (const spdlog::spdlog_ex& error) {
      // A full disk must not end a run through its log; say so once and go on without the file.
      const std::string words = fmt::format("{}; no further lines go there", error.what());
      s.console.log(spdlog::details::log_msg(
          "longconv", spdlog::level::err, s.format == Format::json ? json_escape(words) : words));
      broken.push_back(file);
    }
  }
  for (const FileSink& file : broken) {
    s.files.erase(std::remove(s.files.begin(), s.files.end(), file), s.files.end());
  }
  if (s.after) s.after();
}

}  // namespace longconv::log
