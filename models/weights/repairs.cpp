#include "models/weights/repairs.h"

#include "core/base/check.h"
#include "models/weights/rename.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

namespace longconv::models {
namespace {

/// In this order: wrappers of training first.
constexpr Prefix kHyenaPrefixes[] = {
    {"module.", ""},           // DataParallel
    {"_forward_module.", ""},  // DeepSpeed in Lightning
    {"model.", ""},            // Lightning
    {"hyena.", ""},            // Hugging Face's HyenaDNA
    {"s4seq.encoder.", "backbone."},
    {"embedding.", "backbone.embeddings.word_embeddings."},
    {"backbone.norm.", "backbone.ln_0."},
    {"head.output_transform.", "decoder.0.output_transform."},  // the stand-alone HyenaDNA's
    {"score.", "decoder.0.output_transform."},                  // the Hugging Face port's
};
constexpr Prefix kM2BertPrefixes[] = {
    {"module.", ""},  // DataParallel, also of Composer and of older retrieval files
    {"model.", ""},   // Composer
};

/// Gradient checkpointing wraps mixer and mlp (models.md 5.2).
std::string unwrap_layer(const std::string& name) {
  return replace_first(replace_first(name, ".mixer.layer.", ".mixer."), ".mlp.layer.", ".mlp.");
}

/// "backbone.layers.7." and 7 of a name; empty and -1 if it is in no layer.
struct LayerName {
  std::string prefix;
  int index = -1;
};
LayerName layer_of(const std::string& name) {
  constexpr std::string_view kLayers = "backbone.layers.";
  constexpr std::size_t kMostDigits = 6;
  if (!name.starts_with(kLayers)) return {};
  const std::size_t end = name.find('.', kLayers.size());
  const std::string digits = name.substr(kLayers.size(), end - kLayers.size());
  if (end == std::string::npos || digits.empty() || digits.size() > kMostDigits ||
      digits.find_first_not_of("0123456789") != std::string::npos) {
    return {};
  }
  return {name.substr(0, end + 1), std::stoi(digits)};
}

/// Whether the values are 0, 1, ..
bool counts_up(const files::TensorView& view) {
  const std::size_t size = view.dtype == Dtype::i64 ? 8 : view.dtype == Dtype::i32 ? 4 : 0;
  if (size == 0) return false;
  for (std::size_t i = 0; i * size < view.data.size(); ++i) {
    std::int64_t value = 0;  // little-endian, as the files are
    std::memcpy(&value, view.data.data() + i * size, size);
    if (value != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

bool has(const NamedTensors& named, const std::string& name) {
  return named.tensors.count(name) != 0;
}

/// H3's layers really have q_proj, k_proj, v_proj and output_linear; attention's old names have
/// nothing but these (models.md 2.2).
bool is_plain_attention(const NamedTensors& named, const std::string& mixer) {
  static const std::set<std::string> names = {"q_proj", "k_proj", "v_proj", "output_linear",
                                              "out_proj"};
  for (auto at = named.tensors.lower_bound(mixer);
       at != named.tensors.end() && at->first.starts_with(mixer); ++at) {
    const std::string rest = at->first.substr(mixer.size());
    if (names.count(rest.substr(0, rest.find('.'))) == 0) return false;
  }
  return has(named, mixer + "q_proj.weight");
}

/// q, k, v below each other, if they have one dtype and the same columns.
void join_projections(NamedTensors& named, const std::string& mixer, const char* kind) {
  std::vector<files::TensorView> parts;
  for (const char* part : {"q_proj.", "k_proj.", "v_proj."}) {
    const auto found = named.tensors.find(mixer + part + kind);
    if (found == named.tensors.end()) return;
    parts.push_back(found->second);
  }
  files::TensorView joined = parts[0];
  if (joined.shape.empty()) return;
  joined.name = mixer + "Wqkv." + kind;
  joined.shape[0] = 0;
  std::vector<std::byte> bytes;
  for (const files::TensorView& part : parts) {
    const bool fits =
        part.dtype == joined.dtype && part.shape.size() == joined.shape.size() &&
        std::equal(part.shape.begin() + 1, part.shape.end(), joined.shape.begin() + 1);
    if (!fits) return;  // the missing Wqkv will be named
    joined.shape[0] += part.shape[0];
    bytes.insert(bytes.end(), part.data.begin(), part.data.end());
  }
  joined.data = named.made.emplace_back(std::move(bytes));
  for (const char* part : {"q_proj.", "k_proj.", "v_proj."}) {
    named.tensors.erase(mixer + part + kind);
  }
  named.tensors[joined.name] = joined;
}

void repair_layers(NamedTensors& named, RepairReport& report, const std::string& where) {
  std::set<std::string> mixers;
  for (const auto& item : named.tensors) {
    const LayerName layer = layer_of(item.first);
    if (layer.index >= 0) mixers.insert(layer.prefix + "mixer.");
  }
  std::set<std::string> separate;  // attention with q, k and v apart
  std::set<std::string> ours;      // where output_linear is an old name
  for (const std::string& mixer : mixers) {
    const bool plain = is_plain_attention(named, mixer);
    if (plain) separate.insert(mixer);
    if (plain || has(named, mixer + "Wqkv.weight") || has(named, mixer + "filter_fn.bias")) {
      ours.insert(mixer);
    }
  }
  const std::size_t changed = rename_all(
      named,
      [&](const std::string& name) {
        const std::string mixer = layer_of(name).prefix + "mixer.";
        return ours.count(mixer) == 0
                   ? name
                   : replace_prefix(name, mixer + "output_linear.", mixer + "out_proj.");
      },
      where);
  if (changed > 0) {
    report.repaired.push_back(fmt::format("output_linear is out_proj in {} names", changed));
  }
  for (const std::string& mixer : separate) {
    for (const char* kind : {"weight", "bias"}) join_projections(named, mixer, kind);
    report.repaired.push_back(mixer + "{q,k,v}_proj joined to Wqkv");
  }
}

/// Norms behind the blocks (old checkpoints: ln_0 before the first) to norms before them: every one
/// moves one place towards the end's ln_f (models.md 2.2).
void rotate_norms(NamedTensors& named, RepairReport& report, const std::string& where) {
  bool post = false;
  int last = -1;
  for (const auto& item : named.tensors) {
    post = post || item.first.starts_with("backbone.ln_0.");
    last = std::max(last, layer_of(item.first).index);
  }
  if (!post || last < 0) return;
  const auto moved = [last](const std::string& name) {
    const auto first_norm = [](int layer) {
      return fmt::format("backbone.layers.{}.norm1.", layer);
    };
    const LayerName layer = layer_of(name);
    if (layer.index < 0) return replace_prefix(name, "backbone.ln_0.", first_norm(0));
    const std::string second = layer.prefix + "norm2.";
    if (!name.starts_with(second)) return replace_prefix(name, layer.prefix + "norm1.", second);
    return replace_prefix(name, second,
                          layer.index == last ? "backbone.ln_f." : first_norm(layer.index + 1));
  };
  rename_all(named, moved, where);
  report.repaired.emplace_back("norms behind the blocks moved before them");
}

}  // namespace

RepairReport repair_hyena_names(NamedTensors& named, const std::string& where) {
  RepairReport report;
  drop(named, report, [](const files::TensorView&, const std::string& name) {
    return name.find("_torchmetrics.") != std::string::npos ? "state of a training metric"
                                                            : nullptr;
  });
  rename_prefixes(named, kHyenaPrefixes, report, where);
  const std::size_t wrapped = rename_all(named, unwrap_layer, where);
  if (wrapped > 0) report.repaired.push_back(fmt::format(".layer taken out of {} names", wrapped));
  repair_layers(named, report, where);
  rotate_norms(named, report, where);
  return report;
}

RepairReport repair_m2_bert_names(NamedTensors& named, const std::string& where) {
  RepairReport report;
  rename_prefixes(named, kM2BertPrefixes, report, where);
  drop(named, report, [](const files::TensorView& view, const std::string& name) -> const char* {
    if (name.find("flashfft") != std::string::npos) return "a buffer of FlashFFTConv";
    const bool is_counter = name == "bert.embeddings.position_ids" && counts_up(view);
    return is_counter ? "counts the positions" : nullptr;
  });
  return report;
}

}  // namespace longconv::models
