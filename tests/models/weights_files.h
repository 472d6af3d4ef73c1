// Weights as published files hold them: every name of a model's tensors, and files of them.
#pragma once

#include "core/files/safetensors.h"
#include "models/weights/model_folder.h"

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace longconv::testing {

using NamedValues = std::map<std::string, at::Tensor>;
using Rename = std::function<std::string(std::string)>;

/// A golden model's state dict with every published name.
inline NamedValues published(const torch::nn::Module& model) {
  NamedValues out;
  for (const auto& [name, tensor] : models::state_dict(model)) out[name] = tensor.detach().clone();
  for (const models::Alias& alias : models::all_aliases(model)) {
    out[alias.alias] = out.at(alias.name).clone();
  }
  return out;
}

inline NamedValues renamed(const NamedValues& tensors, const Rename& rename) {
  NamedValues out;
  for (const auto& [name, tensor] : tensors) out[rename(name)] = tensor;
  return out;
}

inline std::string replaced(std::string name, const std::string& what, const std::string& with) {
  const auto at = name.find(what);
  return at == std::string::npos ? name : name.replace(at, what.size(), with);
}

inline void write_safetensors(const std::filesystem::path& path, const NamedValues& tensors) {
  std::vector<files::TensorView> views;
  for (const auto& [name, tensor] : tensors) {
    Dtype dtype = Dtype::f32;
    if (tensor.scalar_type() == at::kDouble) dtype = Dtype::f64;
    if (tensor.scalar_type() == at::kBFloat16) dtype = Dtype::bf16;
    if (tensor.scalar_type() == at::kHalf) dtype = Dtype::f16;
    if (tensor.scalar_type() == at::kLong) dtype = Dtype::i64;
    views.push_back({name,
                     dtype,
                     tensor.sizes().vec(),
                     {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}});
  }
  files::write_safetensors(path, views);
}

/// The file holds exactly these tensors, byte for byte.
inline void expect_file(const std::filesystem::path& path, const NamedValues& want) {
  const files::SafetensorsFile file(path);
  EXPECT_EQ(file.tensors().size(), want.size()) << "every published name, and no other";
  for (const auto& [name, tensor] : want) {
    ASSERT_EQ(file.tensors().count(name), 1U) << name;
    const files::TensorView& view = file.tensors().at(name);
    EXPECT_EQ(at::IntArrayRef(view.shape), tensor.sizes()) << name;
    ASSERT_EQ(view.data.size(), tensor.nbytes()) << name;
    EXPECT_EQ(std::memcmp(view.data.data(), tensor.const_data_ptr(), tensor.nbytes()), 0) << name;
  }
}

}  // namespace longconv::testing
