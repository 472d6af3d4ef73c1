#include "core/kernels/cuda/long_conv_passes.cuh"

namespace longconv::kernels::cuda {

void passes_forward_bf16(const LongConvArgs& args, Stream stream) {
  passes::forward<__nv_bfloat16>(args, stream);
}
void passes_backward_bf16(const LongConvGradArgs& args, Stream stream) {
  passes::backward<__nv_bfloat16>(args, stream);
}

}  // namespace longconv::kernels::cuda
