// The ring kernels for 8192 points in f16: the one place that instantiates them.
#include "core/kernels/cuda/long_conv_ring.cuh"
#include "core/kernels/cuda/long_conv_ring_grad.cuh"

namespace longconv::kernels::cuda {

template void apply_ring<__half, 8>(const RingArgs<__half>&, cudaStream_t);
template void backward_ring<__half, 8>(const BackwardArgs<__half>&, cudaStream_t);

}  // namespace longconv::kernels::cuda
