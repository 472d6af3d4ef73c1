// What every row of the long convolution's table on NVIDIA GPUs has in common: one kernel that
// applies a filter serves the forward pass, du, dgate_in and dgate_out. These are its calls.
#pragma once

#include "core/kernels/cuda/elements.cuh"
#include "core/kernels/long_conv.h"
#include "core/plan/ring_plan.h"

#include <cstdint>

namespace longconv::kernels::cuda {

/// A product of one or two tensors, [B, H, L], rows L apart.
template <class T>
struct Signal {
  const T* a = nullptr;
  const T* b = nullptr;       ///< or nullptr for 1
  std::int64_t a_stride = 0;  ///< elements between batch rows
  std::int64_t b_stride = 0;
};

/// out_i = factor_i * (filter * in + skip in) for up to two outputs, `*` the convolution, with one
/// filter a channel. Of several filters each is a call of its own.
template <class T>
struct ApplyArgs {
  Signal<T> in;
  const float* skip = nullptr;  ///< [H] or nullptr
  const T* factor[2] = {};      ///< [B, H, L]; nullptr: 1
  std::int64_t factor_stride[2] = {};
  T* out[2] = {};  ///< [B, H, L]; out[1] may be nullptr
  std::int64_t out_stride = 0;
  std::int64_t batch = 0;
  std::int64_t channels = 0;
  int length = 0;

  /// Whether there is nothing to do after the filter: no skip, no factor, one output.
  [[nodiscard]] LONGCONV_HOST_DEVICE bool is_plain() const {
    return skip == nullptr && factor[0] == nullptr && out[1] == nullptr;
  }
  /// Whether every row can be read and written 16 bytes at a time.
  [[nodiscard]] bool by_vectors() const {
    const auto fits = [](const void* p, std::int64_t stride) {
      return cuda::by_vectors(p, stride);
    };
    return length % 8 == 0 && fits(in.a, in.a_stride) && fits(in.b, in.b_stride) &&
           fits(factor[0], factor_stride[0]) && fits(factor[1], factor_stride[1]) &&
           fits(out[0], out_stride) && fits(out[1], out_stride);
  }
};

template <class T>
Signal<T> input_signal(const LongConvArgs& args) {  // v = g_in * u
  return {static_cast<const T*>(args.u), static_cast<const T*>(args.gate_in), args.u_batch_stride,
          args.gate_in_batch_stride};
}
/// Elements between batch rows of what has a row for each filter, and where filter c's begin.
inline std::int64_t filters_stride(const LongConvArgs& args) {
  return args.filters * args.channels * args.length;
}
inline std::int64_t filter_offset(const LongConvArgs& args, std::int64_t c) {
  return c * args.channels * args.length;
}

template <class T>
Signal<T> output_gradient(const LongConvGradArgs& args, std::int64_t c) {  // dw = g_out * dy
  const LongConvArgs& in = args.inputs;
  return {static_cast<const T*>(args.dy) + filter_offset(in, c), static_cast<const T*>(in.gate_out),
          filters_stride(in), in.gate_out_batch_stride};
}

template <class T>
ApplyArgs<T> apply_args(const LongConvArgs& args, const Signal<T>& in, std::int64_t c) {
  ApplyArgs<T> call;
  call.in = in;
  if (args.skip != nullptr) call.skip = static_cast<const float*>(args.skip) + c * args.channels;
  call.out_stride = filters_stride(args);
  call.batch = args.batch;
  call.channels = args.channels;
  call.length = static_cast<int>(args.length);
  return call;
}

/// apply(call, c, mirrored) for every filter c: mirrored applies the filter's transpose.
template <class T, class Apply>
void forward_with(const LongConvArgs& args, const Apply& apply) {
  for (std::int64_t c = 0; c < args.filters; ++c) {
    ApplyArgs<T> call = apply_args(args, input_signal<T>(args), c);
    call.factor[0] = static_cast<const T*>(args.gate_out);
    call.factor_stride[0] = args.gate_out_batch_stride;
    call.out[0] = static_cast<T*>(args.y) + filter_offset(args, c);
    apply(call, c, false);
  }
}

/// dv = filter^T dw + skip dw;  du = g_in * dv,  dg_in = u * dv: those that are wanted, out[0]
/// first. `args` has gradients of [B, C, H, L] where there are several filters
/// (shared_gradients.cuh).
template <class T>
ApplyArgs<T> input_gradient_call(const LongConvGradArgs& args, std::int64_t c) {
  const LongConvArgs& in = args.inputs;
  ApplyArgs<T> call = apply_args(in, output_gradient<T>(args, c), c);
  int count = 0;
  const auto add = [&](void* out, const void* factor, std::int64_t stride) {
    if (out == nullptr) return;
    call.out[count] = static_cast<T*>(out) + filter_offset(in, c);
    call.factor[count] = static_cast<const T*>(factor);
    call.factor_stride[count] = stride;
    ++count;
  };
  add(args.du, in.gate_in, in.gate_in_batch_stride);
  add(args.dgate_in, in.u, in.u_batch_stride);
  return call;
}

/// dg_out = dy * (filter v + skip v), if it is wanted.
template <class T>
ApplyArgs<T> output_gate_gradient_call(const LongConvGradArgs& args, std::int64_t c) {
  const LongConvArgs& in = args.inputs;
  ApplyArgs<T> call = apply_args(in, input_signal<T>(in), c);
  if (args.dgate_out != nullptr) {
    call.factor[0] = static_cast<const T*>(args.dy) + filter_offset(in, c);
    call.factor_stride[0] = filters_stride(in);
    call.out[0] = static_cast<T*>(args.dgate_out) + filter_offset(in, c);
  }
  return call;
}

/// du, dgate_in and dgate_out: those that are wanted.
template <class T, class Apply>
void backward_with(const LongConvGradArgs& args, const Apply& apply) {
  for (std::int64_t c = 0; c < args.inputs.filters; ++c) {
    const ApplyArgs<T> input = input_gradient_call<T>(args, c);
    if (input.out[0] != nullptr) apply(input, c, true);
    const ApplyArgs<T> gate = output_gate_gradient_call<T>(args, c);
    if (gate.out[0] != nullptr) apply(gate, c, false);
  }
}

}  // namespace longconv::kernels::cuda
