#include "models/weights/model_folder.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "core/files/hash.h"
#include "models/weights/open_weights.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <cstring>
#include <set>

namespace longconv::models {
namespace {

namespace fs = std::filesystem;

std::string describe(at::IntArrayRef shape, Dtype dtype) {
  return fmt::format("[{}] {}", fmt::join(shape, ", "), name(dtype));
}

/// The first names of `names`, for messages about many.
std::string some(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 3;
  std::vector<std::string> shown(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, names.size())));
  const std::string more =
      names.size() > kShown ? fmt::format(" and {} more", names.size() - kShown) : "";
  return fmt::format("{}{}", fmt::join(shown, ", "), more);
}

/// [model] alone, in the words `parse` reads, whichever section `config` hangs in.
std::string model_toml(const ModelConfig& config) {
  ModelFile file;
  const std::string prefix = "model.";
  for (const config::KeyBase* key : config::all_keys(config)) {
    const std::string path = key->path();
    config::apply_override(
        file, (path.starts_with(prefix) ? path : prefix + path) + "=" + key->to_toml());
  }
  return config::print(file);
}

void copy_files(const fs::path& from, const fs::path& to) {
  files::create_folders(to);
  std::error_code error;
  for (fs::directory_iterator item(from, error); !error && item != fs::directory_iterator();
       item.increment(error)) {
    if (item->is_regular_file()) {
      files::write_atomic(to / item->path().filename(), files::read_text(item->path()));
    }
  }
  LONGCONV_CHECK(!error, EnvironmentError, "{}: cannot read the tokenizer's folder: {}",
                 from.string(), error.message());
}

struct DtypePair {
  Dtype file;
  at::ScalarType tensor;
};
constexpr DtypePair kDtypes[] = {{Dtype::f64, at::kDouble},    {Dtype::f32, at::kFloat},
                                 {Dtype::bf16, at::kBFloat16}, {Dtype::f16, at::kHalf},
                                 {Dtype::i64, at::kLong},      {Dtype::i32, at::kInt},
                                 {Dtype::i16, at::kShort},     {Dtype::i8, at::kChar},
                                 {Dtype::u8, at::kByte},       {Dtype::boolean, at::kBool}};

}  // namespace

Dtype file_dtype(at::ScalarType type) {
  for (const DtypePair& pair : kDtypes) {
    if (pair.tensor == type) return pair.file;
  }
  throw UnsupportedError(fmt::format("weights: cannot store {}", at::toString(type)));
}

at::ScalarType scalar_type(Dtype dtype) {
  for (const DtypePair& pair : kDtypes) {
    if (pair.file == dtype) return pair.tensor;
  }
  throw UnsupportedError(fmt::format("weights: no tensors of {}", name(dtype)));
}

std::map<std::string, at::Tensor> state_dict(const torch::nn::Module& module) {
  std::map<std::string, at::Tensor> out;
  for (const auto& item : module.named_parameters()) out.emplace(item.key(), item.value());
  for (const auto& item : module.named_buffers()) out.emplace(item.key(), item.value());
  return out;
}

std::vector<Alias> all_aliases(const torch::nn::Module& module) {
  std::vector<Alias> out;
  const auto collect = [&out](const std::string& prefix, const torch::nn::Module& child) {
    const auto* has = dynamic_cast<const HasAliases*>(&child);
    if (has == nullptr) return;
    for (const Alias& alias : has->aliases()) {
      out.push_back({prefix + alias.alias, prefix + alias.name});
    }
  };
  collect("", module);
  for (const auto& item : module.named_modules("", /*include_self=*/false)) {
    collect(item.key() + ".", *item.value());
  }
  return out;
}

std::size_t fold_aliases(std::map<std::string, files::TensorView>& tensors,
                         const torch::nn::Module& module, const std::string& where) {
  std::size_t folded = 0;
  for (const Alias& alias : all_aliases(module)) {
    const auto found = tensors.find(alias.alias);
    if (found == tensors.end()) continue;
    const files::TensorView copy = found->second;
    tensors.erase(found);
    ++folded;
    const auto [own, inserted] = tensors.emplace(alias.name, copy);
    if (inserted) continue;
    const files::TensorView& kept = own->second;
    LONGCONV_CHECK(kept.shape == copy.shape && kept.dtype == copy.dtype &&
                       kept.data.size() == copy.data.size() &&
                       std::memcmp(kept.data.data(), copy.data.data(), copy.data.size()) == 0,
                   CheckpointError,
                   "{}: tensors {} and {} differ, but the model has one tensor for both; the file "
                   "comes from a model that trained them apart",
                   where, alias.name, alias.alias);
  }
  return folded;
}

void check_fits(const std::map<std::string, at::Tensor>& wanted,
                const std::map<std::string, files::TensorView>& views, const std::string& where) {
  std::vector<std::string> missing;
  std::vector<std::string> left_over;
  for (const auto& [key, tensor] : wanted) {
    const auto found = views.find(key);
    if (found == views.end()) {
      missing.push_back(key);
      continue;
    }
    const files::TensorView& view = found->second;
    const Dtype dtype = file_dtype(tensor.scalar_type());
    LONGCONV_CHECK(tensor.sizes() == at::IntArrayRef(view.shape) && dtype == view.dtype,
                   CheckpointError,
                   "{}: tensor {}: expected {}, file has {}; do these weights belong to this "
                   "[model] configuration?",
                   where, key, describe(tensor.sizes(), dtype), describe(view.shape, view.dtype));
  }
  for (const auto& [key, view] : views) {
    if (wanted.count(key) == 0) left_over.push_back(key);
  }
  LONGCONV_CHECK(missing.empty(), CheckpointError,
                 "{}: {} of {} tensors missing: {}{}; do these weights belong to this [model] "
                 "configuration?",
                 where, missing.size(), wanted.size(), some(missing),
                 left_over.empty() ? "" : "; the file has instead " + some(left_over));
  LONGCONV_CHECK(left_over.empty(), CheckpointError,
                 "{}: {} tensors that the model does not have: {}; do these weights belong to this "
                 "[model] configuration?",
                 where, left_over.size(), some(left_over));
}

void save_weights(const torch::nn::Module& module, const fs::path& file,
                  const std::map<std::string, std::string>& metadata) {
  std::vector<at::Tensor> held;  // keeps the host copies alive until they are written
  std::vector<files::TensorView> views;
  for (const auto& [key, tensor] : state_dict(module)) {
    held.push_back(tensor.detach().to(at::kCPU).contiguous());
    const at::Tensor& host = held.back();
    views.push_back({key,
                     file_dtype(host.scalar_type()),
                     host.sizes().vec(),
                     {static_cast<const std::byte*>(host.const_data_ptr()), host.nbytes()}});
  }
  std::map<std::string, std::string> all = metadata;
  all.emplace("format", "pt");
  files::write_safetensors(file, views, all);
}

void copy_weights(std::map<std::string, at::Tensor>& tensors,
                  const std::map<std::string, files::TensorView>& views, const std::string& where) {
  check_fits(tensors, views, where);
  const at::NoGradGuard no_grad;
  for (auto& [key, tensor] : tensors) {
    const files::TensorView& view = views.at(key);
    // By memcpy: the file need not align a tensor to its element's size.
    at::Tensor host = at::empty(tensor.sizes(), tensor.options().device(at::kCPU));
    if (!view.data.empty()) std::memcpy(host.data_ptr(), view.data.data(), view.data.size());
    tensor.copy_(host);
  }
}

void load_weights(torch::nn::Module& module, const fs::path& file) {
  const files::SafetensorsFile opened(file);
  std::map<std::string, files::TensorView> views = opened.tensors();
  fold_aliases(views, module, file.string());
  std::map<std::string, at::Tensor> tensors = state_dict(module);
  copy_weights(tensors, views, file.string());
}

void write_model_folder(const fs::path& folder, const ModelConfig& config,
                        const torch::nn::Module& module, const fs::path& tokenizer,
                        const std::string& card) {
  files::create_folders(folder);
  if (!tokenizer.empty()) copy_files(tokenizer, folder / "tokenizer");
  save_weights(module, folder / "model.safetensors");
  std::int64_t parameters = 0;
  for (const at::Tensor& parameter : module.parameters()) parameters += parameter.numel();
  finish_model_folder(folder, config, parameters, card);
}

void finish_model_folder(const fs::path& folder, const ModelConfig& config, std::int64_t parameters,
                         const std::string& card, const std::string& sha256) {
  files::write_atomic(
      folder / "README.md",
      fmt::format(
          "# {} model, {} parameters\n\n"
          "Width {}, {} layers, inputs up to {} tokens; every setting is in "
          "config.toml.\nsha256 of model.safetensors: {}\n{}{}\n",
          config.family(), parameters, config.d_model(), config.n_layers(), config.l_max(),
          sha256.empty() ? files::hex(files::sha256_file(folder / "model.safetensors")) : sha256,
          card.empty() ? "" : "\n", card));
  files::write_atomic(folder / "config.toml", model_toml(config));
}

OpenedModel open_model_folder(const fs::path& folder) {
  const fs::path config = folder / "config.toml";
  const fs::path weights = folder / "model.safetensors";
  for (const fs::path& file : {config, weights}) {
    LONGCONV_CHECK(fs::is_regular_file(file), CheckpointError,
                   "{}: not a model folder: {} is not there; a model folder holds config.toml and "
                   "model.safetensors",
                   folder.string(), file.filename().string());
  }
  OpenedModel out;
  out.file = std::make_unique<ModelFile>();
  config::load(*out.file, config.string());
  out.model = open_weights(out.file->model, weights, at::kFloat, at::kCPU);
  if (fs::is_directory(folder / "tokenizer")) out.tokenizer = folder / "tokenizer";
  return out;
}

}  // namespace longconv::models
