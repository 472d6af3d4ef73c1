#include "models/weights/extend.h"

#include "core/ops/implicit_filter.h"

#include <c10/core/TensorOptions.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace longconv::models {
namespace {

constexpr const char* kPositions = "bert.embeddings.position_embeddings.weight";

/// Puts `bytes` in a tensor's place.
void replace(NamedTensors& named, files::TensorView& view, std::vector<std::byte> bytes) {
  view.data = named.made.emplace_back(std::move(bytes));
}

std::vector<std::byte> bytes_of(const at::Tensor& x) {
  const at::Tensor whole = x.contiguous();
  const auto* begin = static_cast<const std::byte*>(whole.const_data_ptr());
  return {begin, begin + whole.nbytes()};
}

}  // namespace

std::vector<std::string> extend_m2_bert(NamedTensors& named, const ModelConfig& config) {
  const auto positions = named.tensors.find(kPositions);
  const std::int64_t wanted = config.l_max();
  if (positions == named.tensors.end() || positions->second.shape.size() != 2) return {};
  files::TensorView& table = positions->second;
  const std::int64_t had = table.shape[0];
  if (had < 1 || had >= wanted) return {};

  const std::size_t row = table.data.size() / static_cast<std::size_t>(had);
  std::vector<std::byte> longer(row * static_cast<std::size_t>(wanted));
  for (std::size_t done = 0; done < longer.size();) {
    const std::size_t part = std::min(table.data.size(), longer.size() - done);
    std::memcpy(longer.data() + done, table.data.data(), part);
    done += part;
  }
  table.shape[0] = wanted;
  replace(named, table, std::move(longer));

  const auto float32 = at::TensorOptions(at::kFloat);
  const ops::PositionalFeatures features =
      ops::positional_features(wanted, config.filter.emb_dim(), float32);
  for (auto& [name, view] : named.tensors) {
    const bool is_z = name.ends_with(".pos_emb.z");
    if (!is_z && !name.ends_with(".pos_emb.t")) continue;
    const at::Tensor& made = is_z ? features.z : features.t;
    view.shape = made.sizes().vec();
    view.dtype = Dtype::f32;
    replace(named, view, bytes_of(made));
  }
  return {
      fmt::format("{} positions extended to {}: the table repeated, the filters' features made "
                  "anew",
                  had, wanted)};
}

}  // namespace longconv::models
