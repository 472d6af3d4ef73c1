// From a family's name to the function that builds it: one row a family.
#pragma once

#include "models/model.h"

#include <string_view>

namespace longconv::models {

struct Family {
  std::string_view name;  ///< model.family
  std::string_view what;  ///< one line for help
  std::shared_ptr<Model> (*make)(const ModelConfig&, const at::TensorOptions&);
};

/// Hyena-GPT (families/hyena.cpp).
std::shared_ptr<Model> make_hyena(const ModelConfig& config, const at::TensorOptions& options);
/// HyenaDNA: the same at order 2, without attention (families/hyena.cpp).
std::shared_ptr<Model> make_hyena_dna(const ModelConfig& config, const at::TensorOptions& options);

/// LongConv (families/long_conv.cpp).
std::shared_ptr<Model> make_long_conv(const ModelConfig& config, const at::TensorOptions& options);

}  // namespace longconv::models
