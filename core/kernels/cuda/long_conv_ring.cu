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

/// The spectra of filter c's channels.
const uint4* spectrum_of(const LongConvArgs& args, std::int64_t c) {
  const std::int64_t points = std::int64_t{plan::kRing} * plan::outer_for(args.length);
  return static_cast<const uint4*>(args.spectrum) + c * args.channels * points / 4;
}
const float* unscale_of(const LongConvArgs& args, std::int64_t c) {
  return ring_unscale(args, const_cast<void*>(args.spectrum)) + c * args.channels;
}

template <class T>
auto applier(const LongConvArgs& args, Stream stream) {
  return [&args, stream](const ApplyArgs<T>& call, std::int64_t c, bool mirrored) {
    if (call.batch == 0 || call.channels == 0) return;
    const RingArgs<T> ring{call, spectrum_of(args, c), unscale_of(args, c), mirrored};
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
    const RingGradient gradient = ring_gradient(args);
    for (std::int64_t c = 0; c < in.filters; ++c) {
      BackwardArgs<T> call{};
      call.dv = input_gradient_call<T>(made, c);
      call.dgate = output_gate_gradient_call<T>(made, c);
      call.spectrum = spectrum_of(in, c);
      call.unscale = unscale_of(in, c);
      call.out = gradient.of_filter(in, c);
      with_outer(in.length, [&]<int R>() { backward_ring<T, R>(call, stream); });
    }
    ring_filter_gradient(args, gradient, stream);
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
