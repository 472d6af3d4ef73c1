// LongConv's names (models.md 4.2, 4.7).
#include "core/base/check.h"
#include "models/weights/rename.h"

#include <fmt/format.h>

#include <cstring>

namespace longconv::models {
namespace {

constexpr Prefix kWrappers[] = {
    {"module.", ""},  // DataParallel
    {"model.", ""},   // Lightning, of the layers and the last norm alone
};

/// The stand-alone program's names, as they begin.
constexpr Prefix kStandAlone[] = {
    {"encoder.", "encoder.0."},
    {"decoder.", "decoder.0.output_transform."},
};

std::string stand_alone_name(const std::string& name) {
  for (const Prefix& row : kStandAlone) {
    if (name.starts_with(row.prefix)) return replace_prefix(name, row.prefix, row.with);
  }
  if (name.starts_with("norms.")) {
    const std::size_t dot = name.find('.', 6);
    return dot == std::string::npos
               ? name
               : "layers." + name.substr(6, dot - 6) + ".norm.norm" + name.substr(dot);
  }
  constexpr std::string_view kLayers = "conv_layers.";
  if (!name.starts_with(kLayers)) return name;
  const std::size_t dot = name.find('.', kLayers.size());
  if (dot == std::string::npos) return name;
  const std::string part = name.substr(dot + 1);
  return "layers." + name.substr(kLayers.size(), dot - kLayers.size()) + ".layer." +
         (part == "kernel" ? "kernel.kernel" : part);
}

/// A filter (C, H, 2 L) around a circle -> (2 C, H, L): lags from L on reach ahead, the last by one
/// step, so that reverse[s] = k[2 L - 1 - s] (LC-1).
void unroll(NamedTensors& named, const std::string& name, const std::string& where) {
  files::TensorView& view = named.tensors.at(name);
  const std::size_t bytes = size_of(view.dtype);
  LONGCONV_CHECK(view.shape.size() == 3 && view.shape[2] > 0 && view.shape[2] % 2 == 0,
                 CheckpointError,
                 "{}: tensor {}: expected filters [C, H, 2 L] around a circle, got {}", where, name,
                 files::shape_words(view.shape));
  const auto rows = static_cast<std::size_t>(view.shape[0] * view.shape[1]);
  const auto taps = static_cast<std::size_t>(view.shape[2]) / 2;
  std::vector<std::byte> out(view.data.size());
  std::byte* forward = out.data();
  std::byte* reverse = out.data() + rows * taps * bytes;
  const std::byte* from = view.data.data();
  for (std::size_t row = 0; row < rows; ++row, from += 2 * taps * bytes) {
    std::memcpy(forward, from, taps * bytes);
    forward += taps * bytes;
    for (std::size_t s = 0; s < taps; ++s, reverse += bytes) {
      std::memcpy(reverse, from + (2 * taps - 1 - s) * bytes, bytes);
    }
  }
  view.shape = {2 * view.shape[0], view.shape[1], view.shape[2] / 2};
  view.data = named.made.emplace_back(std::move(out));
}

}  // namespace

RepairReport repair_long_conv_names(NamedTensors& named, const std::string& where) {
  RepairReport report;
  drop(named, report, [](const files::TensorView&, const std::string& name) {
    return name.find("_torchmetrics.") != std::string::npos ? "state of a training metric"
                                                            : nullptr;
  });
  rename_prefixes(named, kWrappers, report, where);
  const bool stands_alone =
      named.tensors.lower_bound("conv_layers.") != named.tensors.end() &&
      named.tensors.lower_bound("conv_layers.")->first.starts_with("conv_layers.");
  if (!stands_alone) return report;
  const std::size_t changed = rename_all(named, &stand_alone_name, where);
  report.repaired.push_back(fmt::format("{} names of the stand-alone program", changed));
  std::vector<std::string> kernels;
  for (const auto& item : named.tensors) {
    if (item.first.ends_with(".kernel.kernel")) kernels.push_back(item.first);
  }
  for (const std::string& name : kernels) unroll(named, name, where);
  report.repaired.push_back(fmt::format(
      "{} filters around a circle made into a forward and a reverse one each", kernels.size()));
  return report;
}

}  // namespace longconv::models
