#include "core/kernels/cuda/short_conv.h"
#include "core/kernels/cuda/short_conv_rows.cuh"
#include "core/kernels/cuda/short_conv_tile.cuh"

namespace longconv::kernels::cuda {
namespace {

bool channels_last(const ShortConvArgs& a) { return a.u_time_stride != 1; }

/// Rows of time.
template <class T>
rows::Call<T> to_rows(const ShortConvArgs& a) {
  rows::Call<T> call;
  call.u = static_cast<const T*>(a.u);
  call.w = static_cast<const float*>(a.w);
  call.bias = static_cast<const float*>(a.bias);
  call.u_batch_stride = a.u_batch_stride;
  call.batch = short_conv_count(a.batch, "sequences");
  call.channels = short_conv_count(a.channels, "channels");
  call.length = short_conv_count(a.length, "time steps");
  call.taps = static_cast<int>(a.taps);
  return call;
}

/// Channels together: all of them plain, no gate. `y` is dy for a backward call, which reads it.
template <class T>
tile::Call<T> to_tiles(const ShortConvArgs& a, const void* y) {
  tile::Call<T> call;
  call.p = static_cast<const T*>(a.u);
  call.w = static_cast<const float*>(a.w);
  call.bias = static_cast<const float*>(a.bias);
  call.plain = static_cast<T*>(const_cast<void*>(y));
  call.batch_stride = a.u_batch_stride;
  call.time_stride = a.u_time_stride;
  call.plain_channels = short_conv_count(a.channels, "channels");
  call.length = short_conv_count(a.length, "time steps");
  call.taps = static_cast<int>(a.taps);
  return call;
}

template <class T>
void forward(const ShortConvArgs& a, Stream stream) {
  if (channels_last(a)) {
    return tile::forward<false>(to_tiles<T>(a, a.y), a.batch, stream);
  }
  rows::Call<T> call = to_rows<T>(a);
  call.y = static_cast<T*>(a.y);
  rows::forward(call, stream);
}

template <class T>
void backward(const ShortConvGradArgs& d, Stream stream) {
  const bool sums = d.dw != nullptr || d.dbias != nullptr;
  float* const partials = sums ? static_cast<float*>(d.workspace) : nullptr;
  float* const dw = static_cast<float*>(d.dw);
  float* const dbias = static_cast<float*>(d.dbias);
  if (channels_last(d.inputs)) {
    tile::Call<T> call = to_tiles<T>(d.inputs, d.dy);
    call.dp = static_cast<T*>(d.du);
    call.partials = partials;
    return tile::backward<false>(call, d.inputs.batch, dw, dbias, stream);
  }
  rows::Call<T> call = to_rows<T>(d.inputs);
  call.dy = static_cast<const T*>(d.dy);
  call.du = static_cast<T*>(d.du);
  call.partials = partials;
  rows::backward(call, dw, dbias, stream);
}

}  // namespace

std::int64_t short_conv_workspace_bytes(const ShortConvArgs& a) {
  long long sets = 0;
  if (channels_last(a)) {
    sets = a.batch * tile::backward_segments(a.length);
  } else {
    sets = a.dtype == Dtype::f32 ? rows::backward_sets(to_rows<float>(a))
                                 : rows::backward_sets(to_rows<__half>(a));
  }
  return short_conv_partial_bytes(sets, a.channels, a.taps);
}

void short_conv_forward_f32(const ShortConvArgs& a, Stream s) { forward<float>(a, s); }
void short_conv_forward_bf16(const ShortConvArgs& a, Stream s) { forward<__nv_bfloat16>(a, s); }
void short_conv_forward_f16(const ShortConvArgs& a, Stream s) { forward<__half>(a, s); }

void short_conv_backward_f32(const ShortConvGradArgs& d, Stream s) { backward<float>(d, s); }
void short_conv_backward_bf16(const ShortConvGradArgs& d, Stream s) {
  backward<__nv_bfloat16>(d, s);
}
void short_conv_backward_f16(const ShortConvGradArgs& d, Stream s) { backward<__half>(d, s); }

}  // namespace longconv::kernels::cuda
