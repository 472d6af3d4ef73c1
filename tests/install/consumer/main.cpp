// A filter of ones sums what came before: the smallest use of the installed library.
#include "core/ops/long_conv.h"

#include <ATen/Functions.h>

#include <cstdio>

int main() {
  const at::Tensor u = at::ones({1, 1, 4});
  const at::Tensor k = at::ones({1, 4});
  const at::Tensor y =
      longconv::ops::long_conv({u, k}, longconv::ops::ConvMode::causal).contiguous();
  for (int t = 0; t < 4; ++t) std::printf("%.4g ", y.data_ptr<float>()[t]);
}
