// longconv bench: the long convolution's rows at any shapes, what stands around it, or a model's
// whole steps.
#include "apps/bench_model.h"
#include "apps/commands.h"
#include "apps/print_facts.h"
#include "bench/core/long_conv_bench.h"
#include "bench/core/short_conv_bench.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/atomic_file.h"
#include "core/runtime/device.h"
#include "train/report/svg.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace longconv::apps {
namespace {

using nlohmann::ordered_json;

c10::ScalarType scalar_type(const std::string& word) {
  const std::map<std::string, c10::ScalarType> types{{"float64", c10::kDouble},
                                                     {"float32", c10::kFloat},
                                                     {"bf16", c10::kBFloat16},
                                                     {"fp16", c10::kHalf}};
  const auto found = types.find(word);
  LONGCONV_CHECK(found != types.end(), UsageError,
                 "--dtype {}: expected float64, float32, bf16 or fp16", word);
  return found->second;
}

kernels::ConvMode conv_mode(const std::string& word) {
  using kernels::ConvMode;
  const std::map<std::string, ConvMode> modes{{"causal", ConvMode::causal},
                                              {"bidirectional", ConvMode::bidirectional},
                                              {"conjugate", ConvMode::conjugate},
                                              {"circular", ConvMode::circular}};
  const auto found = modes.find(word);
  LONGCONV_CHECK(found != modes.end(), UsageError,
                 "--mode {}: expected causal, bidirectional, conjugate or circular", word);
  return found->second;
}

ordered_json to_json(const bench::ConvTiming& t, bool beside_peers) {
  ordered_json row{{"length", t.length}, {"row", t.row}, {"chosen", t.chosen}};
  if (t.out_of_memory) {
    row["out_of_memory"] = true;
    return row;
  }
  row.update({{"forward_ms", t.forward_ms},
              {"forward_floor_ms", t.forward_floor_ms},
              {"forward_gbps", t.forward_gbps},
              {"backward_ms", t.backward_ms},
              {"backward_floor_ms", t.backward_floor_ms},
              {"backward_gbps", t.backward_gbps},
              {"relative_error", t.relative_error},
              {"relative_gradient_error", t.relative_gradient_error}});
  const bench::PeerTime* peer = beside_peers && t.chosen ? bench::best_peer(t.length) : nullptr;
  if (peer != nullptr) {
    row.update({{"peer_forward_ms", peer->forward_ms},
                {"peer_backward_ms", peer->backward_ms},
                {"forward_speedup", peer->forward_ms / t.forward_ms},
                {"backward_speedup", peer->backward_ms / t.backward_ms}});
  }
  return row;
}

/// Time over the floor of this device against length: ours, torch_fft, and where they are known the
/// best of the others.
std::string floor_plot(const std::vector<bench::ConvTiming>& timings, bool beside_peers) {
  std::vector<train::Series> all(beside_peers ? 6 : 4);
  for (std::size_t i = 0; i < all.size(); ++i) {
    constexpr std::array<const char*, 3> kWho = {"longconv", "torch_fft",
                                                 "best of the others (H200)"};
    all[i].name = fmt::format("{}, {}", kWho.at(i / 2), i % 2 == 0 ? "forward" : "backward");
    all[i].colour = static_cast<int>(i / 2);
    all[i].dashed = i % 2 == 1;
  }
  for (const bench::ConvTiming& t : timings) {
    if (t.out_of_memory) continue;
    const double x = std::log2(static_cast<double>(t.length));
    const auto add = [&](std::size_t first, double forward_ms, double backward_ms) {
      all[first].points.emplace_back(x, forward_ms / t.forward_floor_ms);
      all[first + 1].points.emplace_back(x, backward_ms / t.backward_floor_ms);
    };
    add(t.chosen ? 0 : 2, t.forward_ms, t.backward_ms);
    const bench::PeerTime* peer = beside_peers && t.chosen ? bench::best_peer(t.length) : nullptr;
    if (peer != nullptr) add(4, peer->forward_ms, peer->backward_ms);
  }
  train::ChartOptions options;
  options.title = "Long convolution: time over moving its bytes once";
  options.x_label = "log2 of the length";
  options.y_label = "time / floor";
  options.log_y = true;
  return train::line_chart(all, options);
}

ExitCode bench_conv(const BenchOptions& options) {
  const bool paper = options.preset == "paper";
  bench::ConvBenchOptions how;
  if (paper) how = bench::paper_preset();
  how.device = runtime::choose_device(options.device);
  how.repeats = options.repeats;
  if (!paper) {
    if (!options.lengths.empty()) how.lengths = options.lengths;
    how.batch = options.batch;
    how.channels = options.channels;
    how.dtype = scalar_type(options.dtype);
    how.gate_in = how.gate_out = options.gated;
    how.skip = !options.no_skip;
    how.filters = options.filters;
    how.mode = conv_mode(options.mode);
  }
  log::info("timing the long convolution on {}: {} sequences, {} channels, {} filters, {}, {}{}",
            how.device.str(), how.batch, how.channels, how.filters, options.mode, options.dtype,
            how.gate_in ? ", gated" : "");
  const std::vector<bench::ConvTiming> timings = bench::bench_long_conv(how);
  ordered_json result{{"device", how.device.str()}, {"batch", how.batch},
                      {"channels", how.channels},   {"dtype", options.dtype},
                      {"filters", how.filters},     {"mode", options.mode},
                      {"skip", how.skip},           {"gated", how.gate_in},
                      {"skip", how.skip},           {"repeats", how.repeats}};
  if (!timings.empty()) result["copy_gbps"] = timings.front().copy_gbps;
  result["timings"] = ordered_json::array();
  for (const bench::ConvTiming& timing : timings)
    result["timings"].push_back(to_json(timing, paper));
  if (!options.plot.empty()) files::write_atomic(options.plot, floor_plot(timings, paper));
  print_result(result.dump(2), options.json);
  return ExitCode::ok;
}

ExitCode bench_short(const BenchOptions& options) {
  bench::ShortConvBenchOptions how;
  how.device = runtime::choose_device(options.device);
  if (!options.lengths.empty()) how.lengths = options.lengths;
  how.batch = options.batch;
  how.channels = options.channels;
  how.taps = options.taps;
  how.dtype = scalar_type(options.dtype);
  how.repeats = options.repeats;
  log::info("timing the short convolution on {}: {} sequences, {} channels, {} taps, {}",
            how.device.str(), how.batch, how.channels, how.taps, options.dtype);
  const std::vector<bench::ShortConvTiming> timings = bench::bench_short_conv(how);
  ordered_json result{{"device", how.device.str()}, {"batch", how.batch},
                      {"channels", how.channels},   {"taps", how.taps},
                      {"dtype", options.dtype},     {"repeats", how.repeats}};
  if (!timings.empty()) result["copy_gbps"] = timings.front().copy_gbps;
  result["timings"] = ordered_json::array();
  for (const bench::ShortConvTiming& t : timings) {
    result["timings"].push_back({{"length", t.length},
                                 {"op", t.op},
                                 {"row", t.row},
                                 {"forward_ms", t.forward_ms},
                                 {"forward_floor_ms", t.forward_floor_ms},
                                 {"forward_over_floor", t.forward_ms / t.forward_floor_ms},
                                 {"backward_ms", t.backward_ms},
                                 {"backward_floor_ms", t.backward_floor_ms},
                                 {"backward_over_floor", t.backward_ms / t.backward_floor_ms}});
  }
  print_result(result.dump(2), options.json);
  return ExitCode::ok;
}

}  // namespace

ExitCode bench(const BenchOptions& options) {
  if (options.what == "conv") return bench_conv(options);
  return options.what == "short" ? bench_short(options) : bench_model(options);
}

}  // namespace longconv::apps
