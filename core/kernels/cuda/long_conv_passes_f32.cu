#include "core/kernels/cuda/long_conv_passes.cuh"

namespace longconv::kernels::cuda {

void passes_forward_f32(const LongConvArgs& args, Stream stream) {
  passes::forward<float>(args, stream);
}
void passes_backward_f32(const LongConvGradArgs& args, Stream stream) {
  passes::backward<float>(args, stream);
}

}  // namespace longconv::kernels::cuda
