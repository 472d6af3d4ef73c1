// The ring kernels for 32768 points in bf16: the one place that instantiates them.
#include "core/kernels/cuda/long_conv_ring.cuh"
#include "core/kernels/cuda/long_conv_ring_grad.cuh"

namespace longconv::kernels::cuda {

template void apply_ring<__nv_bfloat16, 32>(const RingArgs<__nv_bfloat16>&, cudaStream_t);
template void backward_ring<__nv_bfloat16, 32>(const BackwardArgs<__nv_bfloat16>&, cudaStream_t);

}  // namespace longconv::kernels::cuda
