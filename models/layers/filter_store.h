// Long filters that are made once and used again while their parameters stay as they are.
//
// An implicit filter is a network's output, the same for every sequence. Evaluation therefore keeps
// what was made for a length. Training does so inside a scope, one optimiser step:
//
//   SharedFilters filters(model);
//   for each micro-batch: loss(model(batch)).backward();   // dk adds up in the filters themselves
//   filters.backward();                                    // the networks' backward, once
//
// What is kept counts only as long as ops::Snapshot says that the parameters were not written. A
// network that draws random numbers (dropout) must not go through a store: its passes differ.
#pragma once

#include "core/ops/filter_spectrum.h"

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace longconv::models {

struct LongFilter {
  at::Tensor k;  ///< (D, length)
  /// Where its spectrum is kept; none where the filter itself is not kept.
  std::shared_ptr<ops::FilterSpectrum> spectrum;
  at::Tensor k_reverse{};  ///< (D, length) over future steps; undefined: a causal filter
};

/// One module's filters. Any thread may ask; sharing is for one training thread.
class FilterStore {
 public:
  using Make = std::function<std::vector<at::Tensor>()>;

  /// The filters for `length` steps that `make` computes from `parameters`. Without grad mode: the
  /// kept ones, or new ones that are kept. With grad mode: new ones, part of the graph; while
  /// shared, leaves that gather gradients for collect().
  std::vector<LongFilter> get(std::int64_t length, const std::vector<at::Tensor>& parameters,
                              const Make& make);

  /// Begins or ends a scope of sharing; either way nothing of before is kept. Throws
  /// std::logic_error if there is one already.
  void share(bool on);
  /// Moves the shared filters that got a gradient to `outputs`, those gradients to `gradients`, and
  /// forgets all of them.
  void collect(std::vector<at::Tensor>& outputs, std::vector<at::Tensor>& gradients);

 private:
  struct Entry {
    std::int64_t length = 0;
    ops::Snapshot parameters;
    std::vector<LongFilter> filters;  ///< what callers get
    std::vector<at::Tensor> outputs;  ///< what the network made; `filters` are its detached copies
  };
  static Entry made(std::int64_t length, const std::vector<at::Tensor>& parameters,
                    const Make& make);

  std::mutex mutex_;
  bool sharing_ = false;
  std::vector<Entry> shared_;  ///< of this step
  std::vector<Entry> kept_;    ///< without grad mode: the last one
};

/// Mixed into modules that have a store.
class HasFilterStore {
 public:
  virtual ~HasFilterStore() = default;
  virtual FilterStore& filter_store() = 0;
};

/// The scope of one optimiser step over every store in a model. Inside it, parameters behind a
/// store get their gradients from backward() alone. Not to be nested.
class SharedFilters {
 public:
  /// Throws std::logic_error if one of the model's filters is in such a scope already.
  explicit SharedFilters(torch::nn::Module& model);
  /// Forgets the filters, and gradients that backward() has not taken.
  ~SharedFilters();
  SharedFilters(const SharedFilters&) = delete;
  SharedFilters& operator=(const SharedFilters&) = delete;

  /// Adds to the parameters' gradients what all passes since the last call have summed up.
  void backward();

 private:
  std::vector<std::shared_ptr<torch::nn::Module>> modules_;  ///< keep the stores alive
  std::vector<FilterStore*> stores_;
};

}  // namespace longconv::models
