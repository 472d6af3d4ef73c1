#include "models/weights/long_conv_facts.h"

#include "core/base/check.h"

#include <fmt/format.h>

#include <algorithm>

namespace longconv::models {
namespace {

constexpr const char* kEncoder = "encoder.0.weight";
constexpr const char* kLinear = "decoder.0.output_transform.weight";
constexpr const char* kPair = "decoder.0.retrieval.classifier.2.weight";

const char* word(bool value) { return value ? "true" : "false"; }

/// Safari's norms by what they store.
const char* norm_of(const FactSources& from, const std::string& norm) {
  if (has_tensor(from, norm + "running_mean")) return "batch";
  return has_tensor(from, norm + "s") ? "scalar" : "layer";
}

/// After the output's Linear: its rows are two halves of a GLU, or the width itself.
const char* postact_of(const FactSources& from, const std::string& layer, std::int64_t width) {
  const bool normed = has_tensor(from, layer + "output_linear.0.weight_v");
  const std::string name = layer + (normed ? "output_linear.0.weight_v" : "output_linear.0.weight");
  if (!has_tensor(from, name)) return "none";
  const std::int64_t rows = need_tensor(from, name, 2).shape[0];
  LONGCONV_CHECK(rows == 2 * width || rows == width, CheckpointError,
                 "{}: tensor {}: expected {} or {} rows, got {}", from.where, name, 2 * width,
                 width, rows);
  return rows == 2 * width ? "glu" : "id";
}

std::map<std::string, std::string> read_shapes(const FactSources& from) {
  std::map<std::string, std::string> out;
  const auto set = [&](const char* key, std::int64_t value) { out[key] = std::to_string(value); };
  const auto text = [&](const char* key, const char* value) { out[key] = value; };
  const std::string layer = "layers.0.layer.";
  const files::TensorView& skip = need_tensor(from, layer + "D", 2);
  const files::TensorView& kernel = need_tensor(from, layer + "kernel.kernel", 3);
  const std::int64_t channels = skip.shape[0];
  const std::int64_t width = skip.shape[1];
  LONGCONV_CHECK(
      (kernel.shape[0] == channels || kernel.shape[0] == 2 * channels) && kernel.shape[1] == width,
      CheckpointError, "{}: tensor {}kernel.kernel: expected [{} or {}, {}, l_max], got {}",
      from.where, layer, channels, 2 * channels, width, files::shape_words(kernel.shape));
  set("model.d_model", width);
  set("model.n_layers", count_layers(from, "layers."));
  set("model.l_max", kernel.shape[2]);
  set("model.filter.channels", channels);
  text("model.filter.bidirectional", word(kernel.shape[0] == 2 * channels));
  text("model.postact", postact_of(from, layer, width));
  text("model.weight_norm", word(has_tensor(from, layer + "output_linear.0.weight_v")));
  const std::string butterfly = layer + "block_fft_u.mat_16";
  text("model.filter.transform", has_tensor(from, butterfly) ? "butterfly" : "fft");
  if (has_tensor(from, butterfly)) {
    text("model.filter.transform_per_channel", word(need_tensor(from, butterfly, 4).shape[0] != 1));
  }
  text("model.norm", norm_of(from, "layers.0.norm.norm."));
  const bool prenorm = has_tensor(from, "norm.norm.weight") || has_tensor(from, "norm.norm.s");
  text("model.prenorm", word(prenorm));

  const files::TensorView& encoder = need_tensor(from, kEncoder, 2);
  const bool series = has_tensor(from, "encoder.0.bias");
  set("model.d_input", series ? encoder.shape[1] : 0);
  set("model.vocab_size", series ? 0 : encoder.shape[0]);
  text("model.head.kind", "classifier");
  const bool pairs = has_tensor(from, kPair);
  set("model.head.n_classes", need_tensor(from, pairs ? kPair : kLinear, 2).shape[0]);
  if (pairs) text("model.head.pool", "retrieval");
  return out;
}

}  // namespace

bool is_long_conv(const NamedTensors& named) {
  return named.tensors.count("layers.0.layer.kernel.kernel") != 0 &&
         named.tensors.count("layers.0.layer.D") != 0;
}

ModelFacts long_conv_facts(const FactSources& from) {
  const std::map<std::string, std::string> shapes = read_shapes(from);
  FactsBuilder facts(from, "long_conv", shapes);
  facts.leave_open({"model.filter.squash", "model.filter.smooth", "model.filter.smooth_freq",
                    "model.filter.alias", "model.activation"});
  if (shapes.at("model.filter.transform") == "butterfly") {
    facts.leave_open({"model.filter.transform_additive"});
  }
  if (shapes.count("model.head.pool") == 0) facts.leave_open({"model.head.pool"});
  facts.read_tensors();
  facts.apply_overrides();
  return facts.finish();
}

}  // namespace longconv::models
