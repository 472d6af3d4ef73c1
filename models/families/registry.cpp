#include "models/families/registry.h"

#include <fmt/format.h>

namespace longconv::models {
namespace {

constexpr Family kFamilies[] = {
    {"hyena", "Hyena-GPT, arXiv:2302.10866", &make_hyena},
    {"hyena_dna", "HyenaDNA, arXiv:2306.15794", &make_hyena_dna},
    {"long_conv", "LongConv, arXiv:2302.06646", &make_long_conv},
    {"m2_bert", "M2-BERT, arXiv:2310.12109", &make_m2_bert},
    {"h3_conv", "H3 with long convolutions, arXiv:2302.06646", &make_hyena},
};

}  // namespace

std::shared_ptr<Model> build(const ModelConfig& config, const at::TensorOptions& options) {
  if (config.filter.transform() != "fft" && config.family() != "long_conv") {
    config.filter.transform.fail(
        fmt::format("expected \"fft\" for family {}: transforms that learn belong to long_conv",
                    config.family()));
  }
  for (const Family& family : kFamilies) {
    if (family.name == config.family()) return family.make(config, options);
  }
  config.family.fail(fmt::format("unknown family \"{}\"; there are: {}", config.family(),
                                 fmt::join(families(), ", ")));
}

std::vector<std::string> families() {
  std::vector<std::string> names;
  for (const Family& family : kFamilies) names.emplace_back(family.name);
  return names;
}

}  // namespace longconv::models
