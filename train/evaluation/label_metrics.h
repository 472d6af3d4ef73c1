// Metrics of predictions against labels over a whole split (data.md 5.2). Never averaged over
// batches or ranks; all in float64.
#pragma once

#include <cstdint>
#include <span>

namespace longconv::train {

/// Correct / n. All functions here throw DataError for spans that are empty or differ in size.
double accuracy(std::span<const std::int64_t> labels, std::span<const std::int64_t> predictions);

/// F1 of class 1: 2 TP / (2 TP + FP + FN), 0 if the denominator is.
double f1(std::span<const std::int64_t> labels, std::span<const std::int64_t> predictions);

/// Matthews' correlation of K classes (R_K, Gorodkin 2004; for two classes Matthews' own):
///
///   (c s - sum_k t_k p_k) / sqrt((s^2 - sum_k p_k^2) (s^2 - sum_k t_k^2))
///
/// c correct, s all, t_k labels and p_k predictions of class k; 0 if a factor is.
double matthews(std::span<const std::int64_t> labels, std::span<const std::int64_t> predictions);

/// Pearson's correlation; 0 if one side is constant.
double pearson(std::span<const double> x, std::span<const double> y);

/// Pearson's correlation of the ranks; equal values share the mean of their ranks.
double spearman(std::span<const double> x, std::span<const double> y);

}  // namespace longconv::train
