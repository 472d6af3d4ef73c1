// Long filters that are made once: gradients with sharing are those without, the network runs once
// a step in each direction, and whatever writes the weights is seen.
#include "models/layers/filter_store.h"

#include "core/ops/long_conv.h"
#include "core/ops/snapshot.h"
#include "core/runtime/device.h"
#include "models/weights/model_folder.h"
#include "tests/models/small_models.h"
#include "tests/support/temp_folder.h"

#include <ATen/record_function.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>
#ifdef LONGCONV_WITH_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace longconv::testing {
namespace {

using models::SharedFilters;

constexpr std::int64_t kLayers = 2;
/// Counts the evaluations of filter networks, by the name under which profilers see them.
class NetworkCounter {
 public:
  NetworkCounter() : handle_(at::addGlobalCallback(at::RecordFunctionCallback(&count))) {
    networks_seen = 0;
  }
  ~NetworkCounter() { at::removeCallback(handle_); }
  NetworkCounter(const NetworkCounter&) = delete;
  NetworkCounter& operator=(const NetworkCounter&) = delete;
  [[nodiscard]] static std::int64_t networks() { return networks_seen; }

 private:
  static std::unique_ptr<at::ObserverContext> count(const at::RecordFunction& function) {
    if (std::string(function.name()) == "longconv::implicit_filter") ++networks_seen;
    return nullptr;
  }
  inline static std::int64_t networks_seen = 0;
  at::CallbackHandle handle_;
};

struct Place {
  const char* name;
  at::DeviceType device;
  at::ScalarType dtype;        ///< of the parameters
  const char* precision = "";  /// "bf16": under autocast
  /// Of gradients that are summed in another order, relative to the largest. The nested sines of
  /// frequency 10 amplify roundings.
  [[nodiscard]] double tolerance() const {
    return dtype == at::kDouble ? 1e-12 : *precision != 0 ? 2e-3 : 3e-4;
  }
};
void PrintTo(const Place& p, std::ostream* out) { *out << p.name; }

using Gradients = std::map<std::string, at::Tensor>;

Gradients gradients_of(const models::Model& model) {
  Gradients out;
  for (const auto& item : model.named_parameters()) out[item.key()] = item.value().grad().clone();
  return out;
}

class FilterStore : public ::testing::TestWithParam<Place> {
 protected:
  void SetUp() override {
    if (GetParam().device == at::kCUDA && !torch::cuda::is_available()) {
      GTEST_SKIP() << "no GPU: CUDA counts no device";
    }
  }
  static at::TensorOptions options() {
    return at::TensorOptions(GetParam().dtype).device(GetParam().device);
  }
  /// Order 3, so that a network makes two filters; two layers.
  static std::shared_ptr<models::Model> make_model() {
    SmallModel small;
    small.order = 3;
    small.train_positions = true;
    small.strong = true;
    return golden_model(small, options());
  }
  static at::Tensor logits(models::Model& model, const at::Tensor& ids) {
    const runtime::Autocast autocast(at::Device(GetParam().device), GetParam().precision);
    return model.logits(ids);
  }
  static void pass(models::Model& model, const at::Tensor& ids) {
    next_token_loss(logits(model, ids).to(GetParam().dtype), ids).backward();
  }
  static at::Tensor ids(std::int64_t batch, std::int64_t length) {
    return token_ids(batch, length, 0, 16).to(at::Device(GetParam().device));
  }
  /// Sum of the losses over `cuts` equal parts of the batch, with or without sharing.
  static Gradients accumulate(models::Model& model, const at::Tensor& ids, std::int64_t cuts,
                              bool shared) {
    model.zero_grad();
    std::optional<SharedFilters> filters;
    if (shared) filters.emplace(model);
    for (const at::Tensor& part : ids.chunk(cuts)) {
      pass(model, part);
    }
    if (filters) filters->backward();
    return gradients_of(model);
  }
};

TEST_P(FilterStore, SharingLeavesTheGradientsAsTheyAre) {
  const auto model = make_model();
  const at::Tensor batch = ids(4, 16);
  for (const std::int64_t cuts : {1, 2, 4}) {
    SCOPED_TRACE(cuts);
    const Gradients want = accumulate(*model, batch, cuts, /*shared=*/false);
    const Gradients got = accumulate(*model, batch, cuts, /*shared=*/true);
    for (const auto& [name, gradient] : want) {
      const double signal = gradient.abs().max().item<double>();
      EXPECT_GT(signal, 0.0) << name;
      // One pass: the same sums in the same order (a GPU's may vary). Several: dk is added before
      // the network's backward instead of after it.
      const bool same_sums = cuts == 1 && GetParam().device == at::kCPU;
      const double bound = same_sums ? 0.0 : signal * GetParam().tolerance();
      EXPECT_LE((got.at(name) - gradient).abs().max().item<double>(), bound) << name;
    }
  }
}

TEST_P(FilterStore, TheNetworkRunsOnceAStepInEachDirection) {
  const auto model = make_model();
  const at::Tensor batch = ids(4, 16);
  std::int64_t backwards = 0;
  at::Tensor last =
      model->named_parameters()["backbone.layers.1.mixer.filter_fn.implicit_filter.6.weight"];
  last.register_hook([&](const at::Tensor& gradient) {
    ++backwards;
    return gradient;
  });
  const auto counted = [&](bool shared) {
    const NetworkCounter counter;
    backwards = 0;
    accumulate(*model, batch, 4, shared);
    return NetworkCounter::networks();
  };
  EXPECT_EQ(counted(false), 4 * kLayers);
  EXPECT_EQ(backwards, 4);
  EXPECT_EQ(counted(true), kLayers);
  EXPECT_EQ(backwards, 1);
}

TEST_P(FilterStore, OneSpectrumAFilterAndStep) {
  ops::set_long_conv_by_fft_only(true);  // direct sums, best at this length, read no spectrum
  const auto model = make_model();
  const at::Tensor batch = ids(4, 16);
  SharedFilters shared(*model);
  for (const at::Tensor& part : batch.chunk(4)) {
    pass(*model, part);
  }
  int filters = 0;
  for (const auto& module : model->modules()) {
    if (const auto filter = std::dynamic_pointer_cast<models::HyenaFilter>(module)) {
      for (const models::LongFilter& one : filter->filters(16)) {
        EXPECT_EQ(one.spectrum->made(), 1);
        ++filters;
      }
    }
  }
  EXPECT_EQ(filters, 2 * kLayers);
  shared.backward();
  ops::set_long_conv_by_fft_only(false);
}

TEST_P(FilterStore, AStepMayMixLengths) {
  const auto model = make_model();
  const auto run = [&](bool shared) {
    model->zero_grad();
    std::optional<SharedFilters> filters;
    if (shared) filters.emplace(*model);
    for (const std::int64_t length : {16, 9, 16}) {
      const at::Tensor batch = ids(2, length);
      pass(*model, batch);
    }
    if (filters) filters->backward();
    return gradients_of(*model);
  };
  const Gradients want = run(false);
  for (const auto& [name, gradient] : run(true)) {
    const double signal = want.at(name).abs().max().item<double>();
    EXPECT_LE((gradient - want.at(name)).abs().max().item<double>(),
              signal * GetParam().tolerance())
        << name;
  }
}

TEST_P(FilterStore, WhatIsNotCollectedIsForgotten) {
  const auto model = make_model();
  const at::Tensor batch = ids(2, 16);
  model->zero_grad();
  {
    const SharedFilters filters(*model);
    pass(*model, batch);
  }
  for (const auto& item : model->named_parameters()) {
    const bool behind = item.key().find("implicit_filter") != std::string::npos ||
                        item.key().find("pos_emb") != std::string::npos;
    EXPECT_NE(item.value().grad().defined(), behind) << item.key();
  }
  SharedFilters first(*model);
  EXPECT_THROW(SharedFilters second(*model), std::logic_error);
  pass(*model, batch);
  model->zero_grad();
  first.backward();  // the one that was there goes on
  EXPECT_TRUE(
      model->named_parameters()["backbone.layers.0.mixer.filter_fn.implicit_filter.0.weight"]
          .grad()
          .defined());
}

TEST_P(FilterStore, EvaluationKeepsFiltersWhileNothingChanges) {
  const auto model = make_model();
  const at::Tensor batch = ids(2, 16);
  const NetworkCounter counter;
  const at::NoGradGuard no_grad;
  const at::Tensor first = logits(*model, batch);
  EXPECT_EQ(NetworkCounter::networks(), kLayers);
  EXPECT_TRUE(logits(*model, batch).equal(first));
  EXPECT_EQ(NetworkCounter::networks(), kLayers);
  {
    const at::AutoGradMode grad(true);
    logits(*model, batch);
    EXPECT_EQ(NetworkCounter::networks(), 2 * kLayers)
        << "plain autograd takes nothing from the store";
  }
}

/// A route by which the weights get other values. `weight` is a matrix of a filter's network.
struct Route {
  const char* name;
  std::function<void(models::Model& model, at::Tensor& weight)> write;
};

std::vector<Route> routes(const models::Model& other) {
  std::vector<Route> all = {
      {"in place", [](models::Model&, at::Tensor& weight) { weight.mul_(1.25); }},
      {"copy_", [](models::Model&, at::Tensor& weight) { weight.copy_(weight.mul(1.25)); }},
      {"set_data", [](models::Model&, at::Tensor& weight) { weight.set_data(weight.mul(1.25)); }},
      {"load_weights",
       [&other](models::Model& model, at::Tensor&) {
         const TempFolder folder;
         models::save_weights(other, folder / "other.safetensors");
         models::load_weights(model, folder / "other.safetensors");
       }},
      {"a raw write, announced",
       [](models::Model&, at::Tensor& weight) {
         weight.data().mul_(1.25);  // counted elsewhere
         ops::announce_writes();
       }},
  };
#ifdef LONGCONV_WITH_CUDA
  all.push_back({"the replay of a CUDA graph, announced", [](models::Model&, at::Tensor& weight) {
                   if (!weight.is_cuda()) {
                     weight.mul_(1.25);
                     return;
                   }
                   at::cuda::CUDAGraph graph;
                   const c10::cuda::CUDAStream side = c10::cuda::getStreamFromPool();
                   at::Tensor plain = weight.data();
                   c10::cuda::device_synchronize();
                   {
                     const c10::cuda::CUDAStreamGuard guard(side);
                     graph.capture_begin();
                     plain.mul_(1.25);
                     graph.capture_end();
                     graph.replay();
                   }
                   c10::cuda::device_synchronize();
                   ops::announce_writes();
                 }});
#endif
  return all;
}

TEST(FilterStoreMemory, LargeFiltersAreMadeAnewInEvaluation) {
  for (const bool large : {false, true}) {
    models::FilterStore store;
    const at::Tensor parameter = torch::ones({1});
    std::int64_t made = 0;
    const auto get = [&] {
      const at::NoGradGuard no_grad;
      return store.get(1024, {parameter}, [&] {
        ++made;
        return std::vector<at::Tensor>{torch::ones({large ? 1024 : 16, 1024})};
      });
    };
    get();
    const std::vector<models::LongFilter> filters = get();
    EXPECT_EQ(made, large ? 2 : 1);
    EXPECT_EQ(filters.at(0).spectrum == nullptr, large);
  }
}

TEST_P(FilterStore, WhateverWritesTheWeightsIsSeen) {
  const at::Tensor batch = ids(2, 16);
  const auto other = make_model();
  {
    const at::NoGradGuard no_grad;
    for (at::Tensor& p : other->parameters()) p.add_(0.01);
  }
  for (const Route& route : routes(*other)) {
    for (const bool training : {false, true}) {
      SCOPED_TRACE(::testing::Message() << route.name << (training ? ", in a step" : ""));
      const auto model = make_model();
      std::optional<SharedFilters> shared;
      if (training) shared.emplace(*model);
      const at::AutoGradMode mode(training);
      const at::Tensor before = logits(*model, batch).detach();
      EXPECT_TRUE(logits(*model, batch).equal(before));
      {
        const at::NoGradGuard no_grad;
        at::Tensor weight =
            model->named_parameters()["backbone.layers.0.mixer.filter_fn.implicit_filter.2.weight"];
        route.write(*model, weight);
      }
      const at::Tensor after = logits(*model, batch).detach();
      EXPECT_GT((after - before).abs().max().item<double>(),
                1e-3 * before.abs().max().item<double>());
      shared.reset();
      const at::AutoGradMode grad(true);
      EXPECT_TRUE(logits(*model, batch).equal(after)) << "plain autograd makes every filter anew";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Places, FilterStore,
                         ::testing::Values(Place{"Float64", at::kCPU, at::kDouble},
                                           Place{"Float32", at::kCPU, at::kFloat},
                                           Place{"Bf16", at::kCPU, at::kFloat, "bf16"},
                                           Place{"CudaFloat64", at::kCUDA, at::kDouble},
                                           Place{"CudaFloat32", at::kCUDA, at::kFloat},
                                           Place{"CudaBf16", at::kCUDA, at::kFloat, "bf16"}),
                         [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace longconv::testing
