#include "core/kernels/cuda/long_conv_passes.cuh"

namespace longconv::kernels::cuda {

void passes_forward_f16(const LongConvArgs& args, Stream stream) {
  passes::forward<__half>(args, stream);
}
void passes_backward_f16(const LongConvGradArgs& args, Stream stream) {
  passes::backward<__half>(args, stream);
}

}  // namespace longconv::kernels::cuda
