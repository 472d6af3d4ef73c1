// Golden G1 of the implicit filter: its parameters and results, for the reference and the operator.
#pragma once

#include "tests/support/golden.h"

#include <cstdint>
#include <vector>

namespace longconv::testing {

inline constexpr std::int64_t kG1LMax = 16;
inline constexpr std::int64_t kG1EmbDim = 5;
inline constexpr std::int64_t kG1Width = 8;
inline constexpr std::int64_t kG1Channels = 6;
inline constexpr std::int64_t kG1Length = 12;
inline constexpr double kG1SineFreq = 10.0;

inline const Golden kG1Features = {
    {"0", "1", "1"}, ".382683432365", "23.995286655", "37.5111111111"};
inline const Golden kG1 = {{"-.158384864324", ".281856689879", "-.396059552793"},
                           "-9.59102032731e-06",
                           ".133717048344",
                           "2.01013737729"};
inline const Golden kG1Shifted = {{"-.16630410754", ".295949524373", "-.415862530432"},
                                  "-.0371394846168",
                                  ".130577266881",
                                  "2.40102478203"};
inline const Golden kG1Unmodulated = {{"-.158384864324", ".281856689879", "-.396059552793"},
                                      "-.742597871929",
                                      "-.0627956292562",
                                      "19.585004949"};

struct G1Tensor {
  std::vector<std::int64_t> shape;
  std::vector<double> values;
};

/// W0, b0, W2, b2, W4, b4, W6: tensors 1..7 of the golden (0 is the skip), weights 0.3 det, biases
/// 0.1 det.
inline std::vector<G1Tensor> g1_weights() {
  const std::vector<std::vector<std::int64_t>> shapes = {
      {kG1Width, kG1EmbDim}, {kG1Width}, {kG1Width, kG1Width},    {kG1Width},
      {kG1Width, kG1Width},  {kG1Width}, {kG1Channels, kG1Width},
  };
  std::vector<G1Tensor> tensors;
  int tid = 1;
  for (const std::vector<std::int64_t>& shape : shapes) {
    std::size_t count = 1;
    for (const std::int64_t size : shape) {
      count *= static_cast<std::size_t>(size);
    }
    G1Tensor tensor{shape, det(tid++, count)};
    for (double& value : tensor.values) {
      value *= shape.size() == 2 ? 0.3 : 0.1;
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace longconv::testing
