// The acceptance gates of the Pathfinder generator, and its speed: a table, and an exit status.
//
//   bench_pathfinder [images a row] [size]      default: 5000, fewer where an image takes long
#include "data/tasks/pathfinder_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

using namespace longconv::data;

int main(int argc, char** argv) {
  const std::int64_t wanted = argc > 1 ? std::atoll(argv[1]) : 5000;
  const std::int64_t only = argc > 2 ? std::atoll(argv[2]) : 0;
  fmt::print(
      "| set, K | images | ms/image, core | accepted (b) | placed (b) | grey (b) | > 0 (b) | same "
      "(b) "
      "| crossed (b) | ends (b) | turn mean, median | interval rule | gates |\n");
  fmt::print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  int failed = 0;
  for (const PathfinderReference& want : pathfinder_references()) {
    if (only != 0 && want.size != only) continue;
    const PathfinderGenerator generator(pathfinder_rules(want.size, want.contour_paddles));
    const std::int64_t count = std::min(wanted, want.size >= 512 ? wanted / 4 : wanted);
    const auto begin = std::chrono::steady_clock::now();
    const PathfinderStatistics got = measure_pathfinder(generator, 2222, count, /*threads=*/1);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    const auto outside = pathfinder_gates(got, want);
    fmt::print(
        "| {}, {} | {} | {:.3f} | {:.5f} ({:.4g}) | {:.2f} ({}) | {:.2f} +- {:.2f} ({} +- {}) "
        "| {:.4f} ({}) | {:.1f} ({}) | {:.1f} ({}) | {:.1f} ({}) | {:.1f}, {:.1f} | {:.3f} | {} "
        "|\n",
        want.size, want.contour_paddles, count, time.count() / static_cast<double>(count),
        got.accepted, want.accepted, got.placed, want.placed, got.grey.mean, got.grey.deviation,
        want.grey, want.grey_deviation, got.shares[0].mean, want.shares[0], got.same.mean,
        want.same, got.crossed.mean, want.crossed, got.ends.mean, want.ends, got.turn_mean,
        got.turn_median, got.interval_rule, outside.empty() ? "pass" : "FAIL");
    for (const std::string& what : outside)
      fmt::print(stderr, "{}, {}: {}\n", want.size, want.contour_paddles, what);
    failed += outside.empty() ? 0 : 1;
  }
  return failed == 0 ? 0 : 1;
}
