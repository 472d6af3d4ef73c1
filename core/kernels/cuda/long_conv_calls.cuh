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
  bool a_by_filter = false;  ///< a is [B, C H, L]: a row for each filter
};

/// out_i = factor_i * (filter * in + skip in) for up to two outputs, `*` the convolution. Several
/// filters a channel are as many channels, c H + h, which share the row h of what has no filter.
template <class T>
struct ApplyArgs {
  Signal<T> in;
  const float* skip = nullptr;  ///< [C H] or nullptr
  const T* factor[2] = {};      ///< [B, H, L]; nullptr: 1
  std::int64_t factor_stride[2] = {};
  bool factor_by_filter = false;  ///< factor[0] is [B, C H, L]
  T* out[2] = {};                 ///< [B, C H, L] contiguous; out[1] may be nullptr
  std::int64_t batch = 0;
  std::int64_t channels = 0;  ///< C H
  int shared_channels = 0;    ///< H
  int length = 0;

  /// The channel of what has no filter.
  __device__ int shared_channel(int h) const {
    return h < shared_channels ? h : h % shared_channels;
  }

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
           fits(out[0], 0) && fits(out[1], 0);
  }
};

/// Where channel h of a tensor begins, in the batch row at `batch`.
template <class T>
__device__ inline const T* row_of(const ApplyArgs<T>& call, const T* tensor, int h, bool by_filter,
                                  std::int64_t batch) {
  return tensor + batch +
         static_cast<std::int64_t>(by_filter ? h : call.shared_channel(h)) * call.length;
}

template <class T>
Signal<T> input_signal(const LongConvArgs& args) {  // v = g_in * u
  return {static_cast<const T*>(args.u), static_cast<const T*>(args.gate_in), args.u_batch_stride,
          args.gate_in_batch_stride};
}
template <class T>
Signal<T> output_gradient(const LongConvGradArgs& args) {  // dw = g_out * dy
  const LongConvArgs& in = args.inputs;
  return {static_cast<const T*>(args.dy), static_cast<const T*>(in.gate_out),
          in.filters * in.channels * in.length, in.gate_out_batch_stride, true};
}

template <class T>
ApplyArgs<T> apply_args(const LongConvArgs& args, const Signal<T>& in) {
  ApplyArgs<T> call;
  call.in = in;
  call.skip = static_cast<const float*>(args.skip);
  call.batch = args.batch;
  call.channels = args.filters * args.channels;
  call.shared_channels = static_cast<int>(args.channels);
  call.length = static_cast<int>(args.length);
  return call;
}

/// apply(call, mirrored): mirrored applies the filter's transpose.
template <class T, class Apply>
void forward_with(const LongConvArgs& args, const Apply& apply) {
  ApplyArgs<T> call = apply_args(args, input_signal<T>(args));
  call.factor[0] = static_cast<const T*>(args.gate_out);
  call.factor_stride[0] = args.gate_out_batch_stride;
  call.out[0] = static_cast<T*>(args.y);
  apply(call, false);
}

/// dv = filter^T dw + skip dw;  du = g_in * dv,  dg_in = u * dv: those that are wanted, out[0]
/// first.
template <class T>
ApplyArgs<T> input_gradient_call(const LongConvGradArgs& args) {
  const LongConvArgs& in = args.inputs;
  ApplyArgs<T> call = apply_args(in, output_gradient<T>(args));
  int count = 0;
  const auto add = [&](void* out, const void* factor, std::int64_t stride) {
    if (out == nullptr) return;
    call.out[count] = static_cast<T*>(out);
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
ApplyArgs<T> output_gate_gradient_call(const LongConvGradArgs& args) {
  const LongConvArgs& in = args.inputs;
  ApplyArgs<T> call = apply_args(in, input_signal<T>(in));
  if (args.dgate_out != nullptr) {
    call.factor[0] = static_cast<const T*>(args.dy);
    call.factor_stride[0] = in.filters * in.channels * in.length;
    call.factor_by_filter = true;
    call.out[0] = static_cast<T*>(args.dgate_out);
  }
  return call;
}

/// du, dgate_in and dgate_out: those that are wanted.
template <class T, class Apply>
void backward_with(const LongConvGradArgs& args, const Apply& apply) {
  const ApplyArgs<T> input = input_gradient_call<T>(args);
  if (input.out[0] != nullptr) apply(input, true);
  const ApplyArgs<T> gate = output_gate_gradient_call<T>(args);
  if (gate.out[0] != nullptr) apply(gate, false);
}

}  // namespace longconv::kernels::cuda
