#include "train/report/progress.h"

#include "core/base/log.h"
#include "train/report/markup.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace longconv::train {
namespace {

constexpr auto kRedrawInterval = std::chrono::milliseconds(100);
constexpr int kDefaultWidth = 80;
constexpr int kWidestBar = 40;
constexpr int kNarrowestBar = 8;

int terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kDefaultWidth;
}

bool can_draw() {
  const char* terminal = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) != 0 && terminal != nullptr &&
         std::string_view(terminal) != "dumb";
}

// A failed write to the terminal (it was closed) must not end a training run.
void write_terminal(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(STDERR_FILENO, text.data(), text.size());
    if (count <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string bar(double share, int cells) {
  const auto filled = static_cast<int>(std::clamp(share, 0.0, 1.0) * cells);
  std::string text(static_cast<std::size_t>(filled), '=');
  if (filled < cells) text += '>';
  text.resize(static_cast<std::size_t>(cells), ' ');
  return "[" + text + "]";
}

// Parts in the order in which they stand; the highest rank is left out first.
struct Part {
  int rank;
  std::string text;
};

int columns(const std::vector<Part>& parts) {
  int sum = 0;
  for (const Part& part : parts) sum += static_cast<int>(part.text.size()) + 1;
  return sum - 1;
}

}  // namespace

Progress::Progress(std::int64_t first_step, std::int64_t total_steps, bool enabled)
    : first_step_(first_step),
      total_steps_(total_steps),
      enabled_(enabled && can_draw()),
      start_(std::chrono::steady_clock::now()),
      last_draw_(start_ - kRedrawInterval) {
  if (!enabled_) return;
  log::set_hooks(
      [this] {
        const std::lock_guard lock(mutex_);
        clear();
      },
      [this] {
        const std::lock_guard lock(mutex_);
        draw();
      });
}

Progress::~Progress() {
  if (!enabled_) return;
  log::set_hooks({}, {});  // returns only when no message is being written: no hook runs later
  const std::lock_guard lock(mutex_);
  clear();
}

void Progress::update(const ProgressState& state) {
  if (!enabled_) return;
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  state_ = state;
  if (now - last_draw_ < kRedrawInterval && state.step < total_steps_) return;
  last_draw_ = now;
  const double elapsed_s = std::chrono::duration<double>(now - start_).count();
  text_ = line(state_, first_step_, total_steps_, elapsed_s, terminal_width());
  visible_ = true;
  draw();
}

void Progress::finish() {
  const std::lock_guard lock(mutex_);
  if (!visible_) return;
  const auto elapsed = std::chrono::steady_clock::now() - start_;
  text_ = line(state_, first_step_, total_steps_, std::chrono::duration<double>(elapsed).count(),
               terminal_width());
  draw();
  write_terminal("\n");
  visible_ = false;
}

void Progress::clear() const {
  if (visible_) write_terminal("\r\033[K");
}

void Progress::draw() const {
  if (visible_) write_terminal("\r" + text_ + "\033[K");
}

std::string Progress::line(const ProgressState& state, std::int64_t first_step,
                           std::int64_t total_steps, double elapsed_s, int width) {
  const std::int64_t done = state.step - first_step;
  const std::int64_t left = std::max<std::int64_t>(total_steps - state.step, 0);
  std::vector<Part> parts;
  parts.push_back({3, ""});  // the bar, filled in below
  parts.push_back({0, fmt::format("{}/{}", state.step, total_steps)});
  if (!std::isnan(state.loss)) parts.push_back({2, "loss " + short_number(state.loss)});
  if (state.tokens_per_s > 0.0) {
    parts.push_back({4, with_prefix(state.tokens_per_s) + " tok/s"});
  }
  if (done > 0) {
    const double rest_s = elapsed_s / static_cast<double>(done) * static_cast<double>(left);
    parts.push_back({1, "ETA " + clock_time(rest_s)});
  }
  if (state.memory_bytes > 0) parts.push_back({5, "mem " + short_bytes(state.memory_bytes)});

  const int room = std::max(width - 1, 0);  // writing the last column makes some terminals wrap
  const auto needed = [&] {
    const bool with_bar = parts.front().rank == 3;
    return columns(parts) + (with_bar ? kNarrowestBar + 2 : 0);
  };
  while (parts.size() > 1 && needed() > room) {
    parts.erase(std::max_element(parts.begin(), parts.end(),
                                 [](const Part& a, const Part& b) { return a.rank < b.rank; }));
  }
  if (parts.front().rank == 3) {
    const int cells = std::min(room - columns(parts) - 2, kWidestBar);
    const double share =
        total_steps > 0 ? static_cast<double>(state.step) / static_cast<double>(total_steps) : 1.0;
    parts.front().text = bar(share, cells);
  }
  std::string text;
  for (const Part& part : parts) text += (text.empty() ? "" : " ") + part.text;
  text.resize(std::min(text.size(), static_cast<std::size_t>(room)));
  return text;
}

}  // namespace longconv::train
