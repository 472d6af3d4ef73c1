#include "core/kernels/cuda/long_conv_calls.cuh"
#include "core/kernels/cuda/long_conv_ring.cuh"
#include "core/kernels/cuda/long_conv_ring.h"
#include "core/kernels/cuda/long_conv_ring_filter.h"
#include "core/kernels/cuda/long_conv_ring_grad.cuh"
#include "core/kernels/cuda/shared_gradients.cuh"

#include <algorithm>

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

/// call.operator()<R>() for the R that holds `length` points.
template <class Call>
void with_outer(std::int64_t length, const Call& call) {
  switch (plan::outer_for(length)) {
    case 1:
      return call.template operator()<1>();
    case 2:
      return call.template operator()<2>();
    case 4:
      return call.template operator()<4>();
    case 8:
      return call.template operator()<8>();
    case 16:
      return call.template operator()<16>();
    default:
      return call.template operator()<32>();
  }
}

/// Parts of the batch for the filter's gradient: one, unless channels alone leave the device idle.
/// It depends on the device and the shape only.
int batch_splits(const LongConvArgs& args) {
  const int subs = std::max(1, plan::outer_for(args.length) / 8);
  const int groups = 8 / std::min(8, plan::outer_for(args.length));
  const std::int64_t blocks = args.filters * args.channels * subs;
  const std::int64_t wanted = blocks >= multiprocessors() ? 1 : 2 * multiprocessors() / blocks;
  const std::int64_t most = std::max<std::int64_t>(1, args.batch / (2 * groups));
  return static_cast<int>(std::min({wanted, most, std::int64_t{32}}));
}

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

/// Bytes of the filter's gradient in frequency, the first part of a backward call's workspace.
std::int64_t gradient_bytes(const LongConvGradArgs& args) {
  if (args.dk == nullptr && args.dk_reverse == nullptr && args.dskip == nullptr) return 0;
  const LongConvArgs& in = args.inputs;
  const std::int64_t points = std::int64_t{plan::kRing} * plan::outer_for(in.length);
  return batch_splits(in) * in.filters * in.channels * points * 8;
}

template <class T>
void backward(const LongConvGradArgs& args, Stream stream) {
  const LongConvArgs& in = args.inputs;
  const bool wants_filter =
      args.dk != nullptr || args.dk_reverse != nullptr || args.dskip != nullptr;
  if (in.channels == 0) return;
  const SharedGradients<T> shared(args, gradient_bytes(args));
  const LongConvGradArgs& made = shared.made();
  if (!wants_filter) {
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
  return gradient_bytes(args) + SharedGradients<__half>::bytes(args);  // bf16 is as large
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
