// Logging to stderr (and to a run's log.txt). stdout carries results only.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <string_view>
#include <utility>

namespace longconv::log {

enum class Format { text, json };
enum class Level { debug, info, warn, error };

/// Chooses the format of all later messages; called once by main. Honours NO_COLOR and colours
/// only a terminal.
void init(Format format, Level level = Level::info);

/// Also appends every message to `path` (as text), until the returned function is called or the
/// process ends. Throws EnvironmentError if the file cannot be opened.
std::function<void()> add_file(const std::filesystem::path& path);

/// Called just before and after a message goes to stderr; a progress bar clears and redraws itself.
void set_hooks(std::function<void()> before, std::function<void()> after);

void write(Level level, std::string_view message);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warn, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace longconv::log
