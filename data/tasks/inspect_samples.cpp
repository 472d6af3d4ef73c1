#include "data/tasks/inspect_samples.h"

#include "core/base/check.h"
#include "data/tasks/sample_facts.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <vector>

namespace longconv::data {

namespace {

using nlohmann::ordered_json;

constexpr std::int64_t kMostMeasured = 10'000;
constexpr std::int64_t kShownValues = 160;
constexpr std::int64_t kSheetColumns = 5;

/// Mean, deviation and quantiles of some numbers.
ordered_json summary(std::vector<double> values) {
  if (values.empty()) return {{"count", 0}};
  std::sort(values.begin(), values.end());
  double sum = 0.0;
  double squares = 0.0;
  for (const double value : values) {
    sum += value;
    squares += value * value;
  }
  const auto count = static_cast<double>(values.size());
  const auto quantile = [&](double q) {
    return values[static_cast<std::size_t>(std::lround(q * (count - 1)))];
  };
  const double mean = sum / count;
  return {{"mean", mean},
          {"deviation", std::sqrt(std::max(squares / count - mean * mean, 0.0))},
          {"least", values.front()},
          {"5%", quantile(0.05)},
          {"median", quantile(0.5)},
          {"95%", quantile(0.95)},
          {"most", values.back()}};
}

/// A value of a sequence for people: a symbol, or the byte it stands for.
std::string shown(const SampleFacts& facts, std::int64_t value) {
  if (facts.coding == "symbols") return facts.symbols[static_cast<std::size_t>(value)];
  if (facts.coding == "bytes")
    return value == 0 ? "" : std::string(1, static_cast<char>(value - 1));
  return std::to_string(value) + " ";
}

std::string class_name(const SampleFacts& facts, std::int32_t label) {
  const bool named = label >= 0 && label < static_cast<std::int32_t>(facts.classes.size());
  return named ? facts.classes[static_cast<std::size_t>(label)] : std::to_string(label);
}

std::string text_of(const SampleView& shard, const SampleFacts& facts, std::int64_t sample) {
  std::string text;
  for (int part = 0; part < shard.layout().parts; ++part) {
    std::vector<std::int64_t> values(
        static_cast<std::size_t>(std::min(shard.length(sample, part), kShownValues)));
    shard.read(sample, part, values);
    if (part > 0) text += " | ";
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) text += facts.separator;
      text += shown(facts, values[i]);
    }
    if (shard.length(sample, part) > kShownValues) text += " ...";
  }
  return text;
}

/// What is counted of the measured samples.
struct Counts {
  std::map<std::int32_t, std::int64_t> labels;
  std::vector<std::vector<double>> columns;
  std::vector<double> lengths;
  std::vector<double> mean_levels;
  std::array<std::int64_t, 256> levels{};
  std::map<std::int64_t, std::int64_t> values;
};

Counts count(const SampleView& shard, std::int64_t measured) {
  const SampleLayout& layout = shard.layout();
  Counts counts;
  counts.columns.resize(static_cast<std::size_t>(layout.columns));
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < measured; ++i) {
    const std::int64_t sample = i * layout.samples / measured;
    ++counts.labels[shard.label(sample)];
    for (int column = 1; column < layout.columns; ++column) {
      counts.columns[static_cast<std::size_t>(column)].push_back(shard.column(sample, column));
    }
    for (int part = 0; part < layout.parts; ++part) {
      values.resize(static_cast<std::size_t>(shard.length(sample, part)));
      shard.read(sample, part, values);
      counts.lengths.push_back(static_cast<double>(values.size()));
      double sum = 0.0;
      for (const std::int64_t value : values) {
        sum += static_cast<double>(value);
        if (layout.height > 0) {
          ++counts.levels[static_cast<std::size_t>(std::min<std::int64_t>(value, 255))];
        } else {
          ++counts.values[value];
        }
      }
      if (!values.empty()) counts.mean_levels.push_back(sum / static_cast<double>(values.size()));
    }
  }
  return counts;
}

ordered_json image_statistics(const Counts& counts) {
  ordered_json out = {{"mean_level", summary(counts.mean_levels)}};
  std::int64_t all = 0;
  for (const std::int64_t each : counts.levels) all += each;
  ordered_json shares;
  for (const int above : {0, 64, 127, 200, 254}) {
    std::int64_t count = 0;
    for (std::size_t level = static_cast<std::size_t>(above) + 1; level < 256; ++level) {
      count += counts.levels[level];
    }
    shares[fmt::format(">{}", above)] =
        static_cast<double>(count) / static_cast<double>(std::max<std::int64_t>(all, 1));
  }
  out["share_of_pixels"] = shares;
  return out;
}

ordered_json sequence_statistics(const Counts& counts, const SampleFacts& facts) {
  ordered_json out = {{"length", summary(counts.lengths)},
                      {"different_values", counts.values.size()}};
  if (counts.values.size() > 32) return out;
  std::int64_t all = 0;
  for (const auto& [value, each] : counts.values) all += each;
  ordered_json shares;
  for (const auto& [value, each] : counts.values) {
    shares[shown(facts, value)] = static_cast<double>(each) / static_cast<double>(all);
  }
  out["share_of_values"] = shares;
  return out;
}

}  // namespace

std::string inspect_samples(const std::filesystem::path& path, std::int64_t samples, bool verify) {
  const SampleShard file(path, verify);
  const SampleView& shard = file.view();
  const SampleLayout& layout = shard.layout();
  const SampleFacts facts = read_facts(shard);
  const std::int64_t measured = std::min(layout.samples, kMostMeasured);
  const Counts counts = count(shard, measured);

  ordered_json out = {{"kind", "samples"},
                      {"path", path.string()},
                      {"task", facts.task},
                      {"samples", layout.samples},
                      {"classes", layout.classes}};
  if (layout.height > 0) {
    out["image"] = fmt::format("{} x {} x {}", layout.height, layout.width, layout.channels);
  } else {
    out["parts"] = layout.parts;
    out["vocabulary"] = layout.vocabulary;
  }
  for (const SampleSplit& split : facts.splits) {
    out["splits"][split.name] = split.end - split.begin;
  }
  out["made"] = ordered_json::parse(facts.made_json);
  out["verified"] = verify;
  out["measured"] = measured;
  for (const auto& [label, each] : counts.labels) {
    out["labels"][class_name(facts, label)] = each;
  }
  out.update(layout.height > 0 ? image_statistics(counts) : sequence_statistics(counts, facts));
  for (int column = 1; column < layout.columns; ++column) {
    const auto at = static_cast<std::size_t>(column);
    ordered_json row = {{"column", facts.columns[at]}};
    row.update(summary(counts.columns[at]));
    out["columns"].push_back(std::move(row));
  }
  for (std::int64_t i = 0; i < std::min(samples, layout.samples); ++i) {
    ordered_json row = {{"sample", i}, {"label", class_name(facts, shard.label(i))}};
    if (layout.height == 0) row["text"] = text_of(shard, facts, i);
    out["shown"].push_back(std::move(row));
  }
  return out.dump(2, ' ', /*ensure_ascii=*/false, ordered_json::error_handler_t::replace);
}

Picture contact_sheet(const std::filesystem::path& path, std::int64_t count) {
  const SampleShard file(path, /*verify=*/false);
  const SampleView& shard = file.view();
  const SampleLayout& layout = shard.layout();
  LONGCONV_CHECK(layout.height > 0 && layout.channels != 2, DataError, "{}: holds no images",
                 path.string());
  const std::int64_t shown =
      std::clamp<std::int64_t>(count, 1, std::max<std::int64_t>(layout.samples, 1));
  const std::int64_t columns = std::min(shown, kSheetColumns);
  const std::int64_t rows = (shown + columns - 1) / columns;
  Picture sheet;
  sheet.channels = layout.channels == 1 ? 1 : 3;
  sheet.height = static_cast<int>(rows * (layout.height + 1) - 1);
  sheet.width = static_cast<int>(columns * (layout.width + 1) - 1);
  const auto bytes_of_row =
      static_cast<std::size_t>(sheet.width) * static_cast<std::size_t>(sheet.channels);
  sheet.pixels.assign(static_cast<std::size_t>(sheet.height) * bytes_of_row, 128);
  std::vector<std::int64_t> levels(static_cast<std::size_t>(layout.height) *
                                   static_cast<std::size_t>(layout.width) *
                                   static_cast<std::size_t>(layout.channels));
  for (std::int64_t i = 0; i < std::min(shown, layout.samples); ++i) {
    shard.read(i, 0, levels);
    auto top = static_cast<std::size_t>(i / columns * (layout.height + 1));
    const std::int64_t cell = (i % columns) * (layout.width + 1);
    const auto left = static_cast<std::size_t>(cell) * static_cast<std::size_t>(sheet.channels);
    for (std::size_t at = 0; at < levels.size(); ++top) {
      for (int x = 0; x < layout.width; ++x) {
        for (int c = 0; c < layout.channels; ++c, ++at) {
          if (c >= sheet.channels) continue;  // transparency
          sheet.pixels[top * bytes_of_row + left +
                       static_cast<std::size_t>(x) * static_cast<std::size_t>(sheet.channels) +
                       static_cast<std::size_t>(c)] = static_cast<std::uint8_t>(levels[at]);
        }
      }
    }
  }
  return sheet;
}

std::string picture_blocks(const Picture& picture, int columns) {
  static constexpr std::array<const char*, 5> kShades = {" ", "░", "▒", "▓", "█"};
  const int step = std::max(1, (picture.width + columns - 1) / columns);
  const auto channels = static_cast<std::size_t>(picture.channels);
  const std::size_t row = static_cast<std::size_t>(picture.width) * channels;
  std::string out;
  for (int top = 0; top < picture.height; top += 2 * step) {
    for (int left = 0; left < picture.width; left += step) {
      int most = 0;
      for (int y = top; y < std::min(top + 2 * step, picture.height); ++y) {
        for (int x = left; x < std::min(left + step, picture.width); ++x) {
          most = std::max<int>(most, picture.pixels[static_cast<std::size_t>(y) * row +
                                                    static_cast<std::size_t>(x) * channels]);
        }
      }
      out += kShades[static_cast<std::size_t>(most * 5 / 256)];
    }
    out += '\n';
  }
  return out;
}

}  // namespace longconv::data
