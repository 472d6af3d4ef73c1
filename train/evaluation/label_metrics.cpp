#include "train/evaluation/label_metrics.h"

#include "core/base/check.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

namespace longconv::train {

namespace {

void check_sizes(std::size_t labels, std::size_t predictions) {
  LONGCONV_CHECK(labels == predictions && labels > 0, DataError,
                 "metric: {} labels and {} predictions, expected as many, and some", labels,
                 predictions);
}

std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> out(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t end = first + 1;
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    const double shared = 0.5 * static_cast<double>(first + end - 1);
    for (; first < end; ++first) out[order[first]] = shared;
  }
  return out;
}

}  // namespace

double accuracy(std::span<const std::int64_t> labels, std::span<const std::int64_t> predictions) {
  check_sizes(labels.size(), predictions.size());
  std::int64_t correct = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) correct += labels[i] == predictions[i] ? 1 : 0;
  return static_cast<double>(correct) / static_cast<double>(labels.size());
}

double f1(std::span<const std::int64_t> labels, std::span<const std::int64_t> predictions) {
  check_sizes(labels.size(), predictions.size());
  std::int64_t both = 0;
  std::int64_t either = 0;  // TP counted twice: 2 TP + FP + FN
  for (std::size_t i = 0; i < labels.size(); ++i) {
    both += labels[i] == 1 && predictions[i] == 1 ? 1 : 0;
    either += (labels[i] == 1 ? 1 : 0) + (predictions[i] == 1 ? 1 : 0);
  }
  return either == 0 ? 0.0 : 2.0 * static_cast<double>(both) / static_cast<double>(either);
}

double matthews(std::span<const std::int64_t> labels, std::span<const std::int64_t> predictions) {
  check_sizes(labels.size(), predictions.size());
  struct Counts {
    double labels = 0;
    double predictions = 0;
  };
  std::map<std::int64_t, Counts> classes;
  double correct = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    classes[labels[i]].labels += 1;
    classes[predictions[i]].predictions += 1;
    correct += labels[i] == predictions[i] ? 1 : 0;
  }
  const auto all = static_cast<double>(labels.size());
  double products = 0;
  double label_squares = 0;
  double prediction_squares = 0;
  for (const auto& [label, counts] : classes) {
    products += counts.labels * counts.predictions;
    label_squares += counts.labels * counts.labels;
    prediction_squares += counts.predictions * counts.predictions;
  }
  const double below = (all * all - prediction_squares) * (all * all - label_squares);
  return below <= 0 ? 0.0 : (correct * all - products) / std::sqrt(below);
}

double pearson(std::span<const double> x, std::span<const double> y) {
  check_sizes(x.size(), y.size());
  const auto mean = [](std::span<const double> values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  };
  const double mean_x = mean(x);
  const double mean_y = mean(y);
  double both = 0;
  double squares_x = 0;
  double squares_y = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    both += (x[i] - mean_x) * (y[i] - mean_y);
    squares_x += (x[i] - mean_x) * (x[i] - mean_x);
    squares_y += (y[i] - mean_y) * (y[i] - mean_y);
  }
  const double below = std::sqrt(squares_x) * std::sqrt(squares_y);
  return below <= 0 ? 0.0 : both / below;
}

double spearman(std::span<const double> x, std::span<const double> y) {
  check_sizes(x.size(), y.size());
  return pearson(ranks(x), ranks(y));
}

}  // namespace longconv::train
