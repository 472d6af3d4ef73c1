#include "models/layers/filter_store.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace longconv::models {
namespace {

// With its spectrum a kept filter takes three times its own memory in every layer, beside weights
// that may be of the same size: 18 layers of 864 channels and 2,048 steps, 0.4 GB beside 0.6. Such
// a pass spends less than a hundredth on making it; what small ones save is the calls.
constexpr std::size_t kMostKeptBytes = std::size_t{2} << 20;

std::size_t bytes_of(const std::vector<LongFilter>& filters) {
  std::size_t bytes = 0;
  for (const LongFilter& filter : filters) bytes += filter.k.nbytes();
  return bytes;
}

}  // namespace

FilterStore::Entry FilterStore::made(std::int64_t length, const std::vector<at::Tensor>& parameters,
                                     const Make& make) {
  Entry entry{length, ops::Snapshot(parameters), {}, {}};
  for (const at::Tensor& output : make()) {
    entry.outputs.push_back(output.contiguous());  // once, not at every call
    at::Tensor leaf = entry.outputs.back().detach();
    if (entry.outputs.back().requires_grad()) leaf.requires_grad_(true);
    entry.filters.push_back({leaf, std::make_shared<ops::FilterSpectrum>()});
  }
  return entry;
}

std::vector<LongFilter> FilterStore::get(std::int64_t length,
                                         const std::vector<at::Tensor>& parameters,
                                         const Make& make) {
  const bool grad = c10::GradMode::is_enabled();
  const std::lock_guard lock(mutex_);
  if (grad) {
    kept_.clear();  // training goes on: its memory is wanted
    if (!sharing_) {
      std::vector<LongFilter> plain;
      for (const at::Tensor& k : make()) plain.push_back({k, nullptr});
      return plain;
    }
  }
  std::vector<Entry>& entries = grad ? shared_ : kept_;
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
    return entry.length == length && entry.parameters.holds(parameters);
  });
  if (found != entries.end()) return found->filters;
  // Shared filters of parameters as they were stay until their gradients are collected.
  if (!grad) entries.clear();
  Entry entry = made(length, parameters, make);
  if (!grad && bytes_of(entry.filters) > kMostKeptBytes) {
    for (LongFilter& filter : entry.filters) filter.spectrum = nullptr;
    return entry.filters;
  }
  entries.push_back(std::move(entry));
  return entries.back().filters;
}

void FilterStore::share(bool on) {
  const std::lock_guard lock(mutex_);
  if (on && sharing_) throw std::logic_error("filter store: its filters are shared already");
  sharing_ = on;
  shared_.clear();
  kept_.clear();
}

void FilterStore::collect(std::vector<at::Tensor>& outputs, std::vector<at::Tensor>& gradients) {
  const std::lock_guard lock(mutex_);
  for (Entry& entry : shared_) {
    for (std::size_t i = 0; i < entry.filters.size(); ++i) {
      const at::Tensor& gradient = entry.filters[i].k.grad();
      if (!gradient.defined()) continue;
      outputs.push_back(entry.outputs[i]);
      gradients.push_back(gradient);
    }
  }
  shared_.clear();
}

SharedFilters::SharedFilters(torch::nn::Module& model) {
  try {
    for (auto& module : model.modules(/*include_self=*/false)) {
      auto* const owner = dynamic_cast<HasFilterStore*>(module.get());
      if (owner == nullptr) continue;
      owner->filter_store().share(true);
      stores_.push_back(&owner->filter_store());
      modules_.push_back(std::move(module));
    }
  } catch (...) {
    for (FilterStore* store : stores_) store->share(false);
    throw;
  }
}

SharedFilters::~SharedFilters() {
  for (FilterStore* store : stores_) store->share(false);
}

void SharedFilters::backward() {
  std::vector<at::Tensor> outputs;
  std::vector<at::Tensor> gradients;
  for (FilterStore* store : stores_) store->collect(outputs, gradients);
  if (!outputs.empty()) torch::autograd::backward(outputs, gradients);
}

}  // namespace longconv::models
