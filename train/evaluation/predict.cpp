#define AT_PER_OPERATOR_HEADERS
#include "train/evaluation/predict.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/runtime/device.h"
#include "train/evaluation/eval_mode.h"
#include "train/evaluation/token_nll.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <numeric>
#include <utility>

namespace longconv::train {
namespace {

using data::TokenRow;

// Rows that are read ahead, to be sorted by length: so much work, in passes.
constexpr std::int64_t kPassesAhead = 16;
constexpr std::int64_t kNotAsked = -100;

/// Autocast without its copies of all weights in bf16, which would be half as much memory again; a
/// pass is long enough for casting them anew not to matter.
class CastsAreNotKept {
 public:
  CastsAreNotKept() : before_(at::autocast::is_autocast_cache_enabled()) {
    at::autocast::set_autocast_cache_enabled(false);
  }
  ~CastsAreNotKept() { at::autocast::set_autocast_cache_enabled(before_); }
  CastsAreNotKept(const CastsAreNotKept&) = delete;
  CastsAreNotKept& operator=(const CastsAreNotKept&) = delete;

 private:
  bool before_;
};

at::ScalarType scalar_type(Dtype dtype) {
  return dtype == Dtype::f64 ? at::kDouble : dtype == Dtype::bf16 ? at::kBFloat16 : at::kFloat;
}

/// Whether every value is finite, a part at a time: the question takes twice the values' own
/// memory.
bool all_finite(const at::Tensor& x) {
  constexpr std::int64_t kPart = std::int64_t{1} << 20;
  const at::Tensor flat = x.reshape({-1});
  for (std::int64_t at = 0; at < flat.numel(); at += kPart) {
    const at::Tensor part = flat.narrow(0, at, std::min(kPart, flat.numel() - at));
    if (!at::isfinite(part).all().item<bool>()) return false;
  }
  return true;
}

/// Predictions that a row is asked for: positions that count and whose next one does.
std::int64_t predictions(const TokenRow& row) {
  std::int64_t count = 0;
  for (std::size_t t = 0; t + 1 < row.ids.size(); ++t) {
    count += static_cast<std::int64_t>(row.counts(t) && row.counts(t + 1));
  }
  return count;
}

void check_row(const TokenRow& row, const RowLimits& limits, const std::string& what) {
  const std::int64_t length = std::ssize(row.ids);
  LONGCONV_CHECK(length > 0, DataError, "{}: empty, expected at least one token", row.where);
  LONGCONV_CHECK(length <= limits.longest, DataError,
                 "{}: {} tokens, but the model takes at most {} (model.l_max); cut the row, or let "
                 "the filters end early with model.filter.max_taps={}",
                 row.where, length, limits.longest, limits.longest);
  for (std::size_t t = 0; t < row.ids.size(); ++t) {
    LONGCONV_CHECK(row.ids[t] >= 0 && row.ids[t] < limits.vocab_size, DataError,
                   "{}, column {}: token {}, expected 0 to {}; were these ids made with the "
                   "model's tokenizer?",
                   row.where, t, row.ids[t], limits.vocab_size - 1);
  }
  if (what == "embedding") {
    const bool any = row.mask.empty() ||
                     std::any_of(row.mask.begin(), row.mask.end(), [](auto on) { return on != 0; });
    LONGCONV_CHECK(any, DataError, "{}: the mask is 0 everywhere, which leaves nothing to average",
                   row.where);
  } else if (what == "loss") {
    LONGCONV_CHECK(predictions(row) > 0, DataError,
                   "{}: a loss needs two neighbouring tokens that the mask leaves in", row.where);
  }
}

/// One run of predict().
class Predictor {
 public:
  Predictor(models::Model& model, const PredictOptions& options, PredictionFile& file)
      : model_(model), options_(options), file_(file) {}

  void add(TokenRow row, std::int64_t padded) {
    const std::int64_t tokens = options_.per_position ? std::ssize(row.ids) : 1;
    held_bytes_ += tokens * std::max<std::int64_t>(1, options_.width) *
                   static_cast<std::int64_t>(size_of(options_.dtype));
    work_bytes_ += padded * options_.bytes_per_token;
    padded_.push_back(padded);
    rows_.push_back(std::move(row));
    if (held_bytes_ >= options_.pass_bytes || work_bytes_ >= kPassesAhead * options_.pass_bytes) {
      flush();
    }
  }

  /// Runs what was added and writes it in the order it was added in.
  void flush() {
    std::vector<std::size_t> order(rows_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return padded_[a] < padded_[b]; });
    results_.assign(rows_.size(), at::Tensor());
    std::size_t begin = 0;
    while (begin < order.size()) {
      const std::int64_t length = padded_[order[begin]];
      const std::int64_t most =
          std::max<std::int64_t>(1, options_.pass_bytes / (length * options_.bytes_per_token));
      std::size_t end = begin + 1;
      while (end < order.size() && padded_[order[end]] == length &&
             static_cast<std::int64_t>(end - begin) < std::min(most, most_rows_)) {
        ++end;
      }
      if (run_or_shrink(std::span(order).subspan(begin, end - begin), length)) begin = end;
    }
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const at::Tensor& result = results_[i];
      file_.write({static_cast<const std::byte*>(result.const_data_ptr()), result.nbytes()},
                  rows_[i].name);
    }
    rows_.clear();
    padded_.clear();
    results_.clear();
    held_bytes_ = work_bytes_ = 0;
  }

 private:
  /// False if the device had no room for so many rows: fewer are tried from then on.
  bool run_or_shrink(std::span<const std::size_t> chosen, std::int64_t length) {
    LONGCONV_CHECK(!options_.stop || !options_.stop(), InterruptedError,
                   "interrupted; nothing was written");
    try {
      run(chosen, length);
      return true;
    } catch (const c10::OutOfMemoryError& error) {
      LONGCONV_CHECK(chosen.size() > 1, MemoryError,
                     "{}: {} tokens do not fit into the memory of {}: {}",
                     rows_[chosen.front()].where, length, options_.device.str(),
                     error.what_without_backtrace());
    }
    most_rows_ = std::ssize(chosen) / 2;
    log::debug("{} rows of {} tokens do not fit into the memory of {}, trying {}", chosen.size(),
               length, options_.device.str(), most_rows_);
    return false;
  }

  void run(std::span<const std::size_t> chosen, std::int64_t length) {
    const auto count = static_cast<std::int64_t>(chosen.size());
    at::Tensor ids = at::zeros({count, length}, at::kLong);
    auto* id = ids.mutable_data_ptr<std::int64_t>();
    for (const std::size_t i : chosen) {
      std::copy(rows_[i].ids.begin(), rows_[i].ids.end(), id);
      id += length;
    }
    const at::Tensor on_device = ids.to(options_.device);
    at::Tensor result;
    if (options_.what == "logits") {
      result = model_.logits(
          models::Input(on_device, options_.per_position ? at::Tensor() : counted_steps(chosen)));
    } else if (options_.what == "hidden") {
      result = model_.hidden(on_device);
    } else if (options_.what == "embedding") {
      result = embedding(chosen, on_device);
    } else {
      result = loss(chosen, ids, on_device);
    }
    result = result.to(at::TensorOptions(at::kCPU).dtype(scalar_type(options_.dtype))).contiguous();
    for (std::int64_t n = 0; n < count; ++n) {
      const std::size_t i = chosen[static_cast<std::size_t>(n)];
      at::Tensor own = result.select(0, n);
      if (options_.per_position) own = own.narrow(0, 0, std::ssize(rows_[i].ids));
      LONGCONV_CHECK(all_finite(own), NonFiniteError,
                     "{}: {} of the row has values that are NaN or infinite; try --dtype float32, "
                     "and `longconv inspect` for the weights",
                     rows_[i].where, options_.what);
      results_[i] = own;
    }
  }

  /// (B, L, 1): where a row's own positions are that count.
  [[nodiscard]] at::Tensor counted(std::span<const std::size_t> chosen, std::int64_t length) const {
    at::Tensor mask = at::zeros({std::ssize(chosen), length}, at::kBool);
    auto* on = mask.mutable_data_ptr<bool>();
    for (const std::size_t i : chosen) {
      for (std::size_t t = 0; t < rows_[i].ids.size(); ++t) on[t] = rows_[i].counts(t);
      on += length;
    }
    return mask.unsqueeze(2);
  }

  /// (B), steps before the mask's zeros at a row's end; undefined where no row has a mask.
  [[nodiscard]] at::Tensor counted_steps(std::span<const std::size_t> chosen) const {
    at::Tensor lengths = at::zeros({std::ssize(chosen)}, at::kLong);
    bool any = false;
    for (std::size_t n = 0; n < chosen.size(); ++n) {
      const TokenRow& row = rows_[chosen[n]];
      std::int64_t length = std::ssize(row.ids);
      while (length > 1 && !row.counts(static_cast<std::size_t>(length - 1))) --length;
      lengths.mutable_data_ptr<std::int64_t>()[n] = length;
      any = any || !row.mask.empty();
    }
    return any ? lengths.to(options_.device) : at::Tensor();
  }

  at::Tensor embedding(std::span<const std::size_t> chosen, const at::Tensor& ids) {
    const at::Tensor pooled = model_.pooled(models::Input(ids, counted_steps(chosen)));
    if (pooled.defined())
      return pooled.scalar_type() == at::kDouble ? pooled : pooled.to(at::kFloat);
    const at::Tensor mask = counted(chosen, ids.size(1)).to(options_.device);
    at::Tensor hidden = model_.hidden(ids);
    if (hidden.scalar_type() != at::kDouble) hidden = hidden.to(at::kFloat);
    const at::Tensor zero = at::zeros({}, hidden.options());
    return at::where(mask, hidden, zero).sum(1) / mask.sum(1).to(hidden.scalar_type());
  }

  at::Tensor loss(std::span<const std::size_t> chosen, const at::Tensor& ids,
                  const at::Tensor& on_device) {
    const std::int64_t steps = ids.size(1) - 1;
    at::Tensor target = at::full({std::ssize(chosen), steps}, kNotAsked, at::kLong);
    at::Tensor asked = at::zeros({std::ssize(chosen)}, at::kDouble);
    auto* next = target.mutable_data_ptr<std::int64_t>();
    for (std::size_t n = 0; n < chosen.size(); ++n, next += steps) {
      const TokenRow& row = rows_[chosen[n]];
      for (std::size_t t = 0; t + 1 < row.ids.size(); ++t) {
        if (row.counts(t) && row.counts(t + 1)) next[t] = row.ids[t + 1];
      }
      asked.mutable_data_ptr<double>()[n] = static_cast<double>(predictions(row));
    }
    const at::Tensor logits = model_.logits(on_device).slice(1, 0, steps);
    return row_nll(logits, target.to(options_.device)).cpu() / asked;
  }

  models::Model& model_;
  const PredictOptions& options_;
  PredictionFile& file_;
  std::vector<TokenRow> rows_;        // not run yet
  std::vector<std::int64_t> padded_;  // their lengths in a pass
  std::vector<at::Tensor> results_;   // of the rows, on the CPU
  std::int64_t held_bytes_ = 0;       // what their results will take
  std::int64_t work_bytes_ = 0;       // what all of them would hold in one pass
  std::int64_t most_rows_ = std::int64_t{1} << 20;
};

/// Lengths fall into classes, at most an eighth apart, so that rows meet others and the filters are
/// made for a few lengths only. float64 is for comparisons: rows keep their own.
std::int64_t padded_length(std::int64_t length, const models::Model& model,
                           const PredictOptions& options) {
  if (options.rows_alike || !model.is_causal() || options.precision == "float64") return length;
  const auto step =
      static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(length)) / 8);
  if (step < 2) return length;
  return std::min((length + step - 1) / step * step, std::max(length, model.l_max()));
}

}  // namespace

std::vector<std::int64_t> check_rows(data::TokenRows& rows, const RowLimits& limits,
                                     const std::string& what) {
  std::vector<std::int64_t> lengths;
  for (TokenRow row; rows.next(row);) {
    check_row(row, limits, what);
    lengths.push_back(std::ssize(row.ids));
  }
  LONGCONV_CHECK(!lengths.empty(), DataError, "the input has no rows");
  return lengths;
}

void predict(models::Model& model, data::TokenRows& rows, std::span<const std::int64_t> lengths,
             const PredictOptions& options, PredictionFile& file) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kNews = std::chrono::seconds(30);
  const EvalMode eval_mode(model);
  const runtime::Autocast autocast(options.device, options.precision);
  const CastsAreNotKept casts_are_not_kept;
  Predictor predictor(model, options, file);
  std::size_t count = 0;
  auto said = Clock::now();
  for (TokenRow row; rows.next(row); ++count) {
    LONGCONV_CHECK(count < lengths.size() && std::ssize(row.ids) == lengths[count], DataError,
                   "{}: not the row it was when the file was checked; it changed meanwhile",
                   row.where);
    const std::int64_t padded = padded_length(lengths[count], model, options);
    predictor.add(std::exchange(row, {}), padded);
    if (Clock::now() - said > kNews) {
      log::info("{} of {} rows", count + 1, lengths.size());
      said = Clock::now();
    }
  }
  LONGCONV_CHECK(count == lengths.size(), DataError,
                 "the input had {} rows when it was checked, and {} now; it changed meanwhile",
                 lengths.size(), count);
  predictor.flush();
}

}  // namespace longconv::train
