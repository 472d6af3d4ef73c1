#include "core/kernels/cuda/long_conv_calls.cuh"
#include "core/kernels/cuda/long_conv_ring.cuh"
#include "core/kernels/cuda/long_conv_ring.h"
#include "core/kernels/cuda/long_conv_ring_filter.h"
#include "core/kernels/cuda/long_conv_ring_grad.cuh"
#include "core/kernels/cuda/ring_launch.h"
#include "core/kernels/cuda/shared_gradients.cuh"

namespace longconv::kernels::cuda {

#define LONGCONV_RING_ELSEWHERE(R)                                                                 \
  extern template void apply_ring<__nv_bfloat16, R>(const RingArgs<__nv_bfloat16>&, cudaStream_t); \
  extern template void apply_ring<__half, R>(const RingArgs<__half>&, cudaStream_t);               \
  extern template void backward_ring<__nv_bfloat16, R>(const BackwardArgs<__nv_bfloat16>&,         \
                                                       cudaStream_t);                              \
  extern template void backward_ring<__half, R>(const BackwardArgs<__half>&, cudaStream_t);
LONGCONV_RING_ELSEWHERE(1)
LONGCONV_RING_ELSEWHERE(2)
LONGCONV_RING_ELSEWHERE(4)
LONGCONV_RING_ELSEWHERE(8)
LONGCONV_RING_ELSEWHERE(16)
LONGCONV_RING_ELSEWHERE(32)
#undef LONGCONV_RING_ELSEWHERE

namespace {

template <class T>
auto applier(const LongConvArgs& args, Stream stream) {
  return [&args, stream](const ApplyArgs<T>& call, bool mirrored) {
    if (call.batch == 0 || call.channels == 0) return;
    void* const spectrum = const_cast<void*>(args.spectrum);
    const RingArgs<T> ring{call, static_cast<const uint4*>(spectrum), ring_unscale(args, spectrum),
                           mirrored};
    with_outer(args.length, [&]<int R>() { apply_ring<T, R>(ring, stream); });
  };
}

template <class T>
void forward(const LongConvArgs& args, Stream stream) {
  forward_with<T>(args, applier<T>(args, stream));
}

template <class T>
void backward(const LongConvGradArgs& args, Stream stream) {
  const LongConvArgs& in = args.inputs;
  if (in.channels == 0) return;
  const SharedGradients<T> shared(args, filter_gradient_bytes(args));
  const LongConvGradArgs& made = shared.made();
  if (!wants_filter_gradient(args)) {
    backward_with<T>(made, applier<T>(in, stream));
  } else {
    void* const spectrum = const_cast<void*>(in.spectrum);
    BackwardArgs<T> call{};
    call.dv = input_gradient_call<T>(made);
    call.dgate = output_gate_gradient_call<T>(made);
    call.spectrum = static_cast<const uint4*>(spectrum);
    call.unscale = ring_unscale(in, spectrum);
    call.out.splits = batch_splits(in);
    call.out.spectrum = static_cast<float2*>(args.workspace);
    with_outer(in.length, [&]<int R>() { backward_ring<T, R>(call, stream); });
    ring_filter_gradient(args, call.out, stream);
  }
  shared.sum(stream);
}

}  // namespace

bool ring_runs_here() {
  int device = 0;
  int major = 0;
  // Asked on machines without a device, too: not an error, but no.
  const bool known =
      cudaGetDevice(&device) == cudaSuccess &&
      cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess;
  if (!known) cudaGetLastError();
  return known && major >= 9;
}

std::int64_t ring_workspace_bytes(const LongConvGradArgs& args) {
  return filter_gradient_bytes(args) + SharedGradients<__half>::bytes(args);  // bf16 is as large
}

void ring_forward_bf16(const LongConvArgs& args, Stream stream) {
  forward<__nv_bfloat16>(args, stream);
}
void ring_forward_f16(const LongConvArgs& args, Stream stream) { forward<__half>(args, stream); }
void ring_backward_bf16(const LongConvGradArgs& args, Stream stream) {
  backward<__nv_bfloat16>(args, stream);
}
void ring_backward_f16(const LongConvGradArgs& args, Stream stream) {
  backward<__half>(args, stream);
}

}  // namespace longconv::kernels::cuda
