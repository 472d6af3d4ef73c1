#include "core/kernels/cuda/short_conv_gate.h"
#include "core/kernels/cuda/short_conv_tile.cuh"

namespace longconv::kernels::cuda {
namespace {

template <class T>
tile::Call<T> to_call(const ShortConvGateArgs& a, const void* gates, const void* product) {
  tile::Call<T> call;
  call.p = static_cast<const T*>(a.p);
  call.w = static_cast<const float*>(a.w);
  call.bias = static_cast<const float*>(a.bias);
  call.plain = static_cast<T*>(const_cast<void*>(gates));
  call.product = static_cast<T*>(const_cast<void*>(product));
  const int all = short_conv_count((a.order + 1) * a.channels, "channels");
  call.gated_channels = static_cast<int>(a.channels);
  call.plain_channels = all - 2 * call.gated_channels;
  call.time_stride = all;
  call.batch_stride = a.length * call.time_stride;
  call.length = short_conv_count(a.length, "time steps");
  call.taps = static_cast<int>(a.taps);
  return call;
}

template <class T>
void forward(const ShortConvGateArgs& a, Stream stream) {
  tile::forward<true>(to_call<T>(a, a.gates, a.product), a.batch, stream);
}

template <class T>
void backward(const ShortConvGateGradArgs& d, Stream stream) {
  const ShortConvGateArgs& a = d.inputs;
  tile::Call<T> call = to_call<T>(a, d.dgates, d.dproduct);
  call.dp = static_cast<T*>(d.dp);
  if (d.dw != nullptr || d.dbias != nullptr) {
    call.partials = static_cast<float*>(d.workspace);
  }
  tile::backward<true>(call, a.batch, static_cast<float*>(d.dw), static_cast<float*>(d.dbias),
                       stream);
}

}  // namespace

std::int64_t short_conv_gate_workspace_bytes(const ShortConvGateArgs& a) {
  return short_conv_partial_bytes(a.batch * tile::backward_segments(a.length),
                                  (a.order + 1) * a.channels, a.taps);
}

void short_conv_gate_forward_f32(const ShortConvGateArgs& a, Stream s) { forward<float>(a, s); }
void short_conv_gate_forward_bf16(const ShortConvGateArgs& a, Stream s) {
  forward<__nv_bfloat16>(a, s);
}
void short_conv_gate_forward_f16(const ShortConvGateArgs& a, Stream s) { forward<__half>(a, s); }

void short_conv_gate_backward_f32(const ShortConvGateGradArgs& d, Stream s) {
  backward<float>(d, s);
}
void short_conv_gate_backward_bf16(const ShortConvGateGradArgs& d, Stream s) {
  backward<__nv_bfloat16>(d, s);
}
void short_conv_gate_backward_f16(const ShortConvGateGradArgs& d, Stream s) {
  backward<__half>(d, s);
}

}  // namespace longconv::kernels::cuda
