// Forward and backward in passes, on the host: which rows are under way at once, and what is done
// to them in which order.
#pragma once

#include "core/kernels/cuda/float_passes.cuh"
#include "core/kernels/cuda/long_conv_passes.h"
#include "core/kernels/cuda/tensor_passes.cuh"

#include <algorithm>
#include <type_traits>

namespace longconv::kernels::cuda::passes {

/// Bytes of scratch, meant to stay in the L2 cache (50 MB on an H100) from pass to pass.
inline constexpr std::int64_t kCacheBytes = 40 << 20;

/// How a call is cut into groups of rows: whole channels, or parts of one channel's batch.
struct GroupSize {
  int channels;
  int batch;
  int splits;  // of a group's batch, in the filter's gradient
};
GroupSize group_size(const LongConvArgs& args, std::int64_t bytes_of_row);

/// Where things lie in a workspace.
struct Workspace {
  void* data;  // the rows' rings, side by side
  float2* gradient;
  float* largest;
  std::int64_t bytes;

  /// Forward there is one side and no gradient.
  Workspace(const LongConvArgs& args, const GroupSize& size, bool backward, void* memory);
};

/// A call with its plan and its memory.
template <class T>
class Passes {
  using Device = std::conditional_t<std::is_same_v<T, float>, FloatPasses, TensorPasses<T>>;
  using S = typename Device::S;

 public:
  Passes(const LongConvArgs& args, const GroupSize& size, const Workspace& memory,
         cudaStream_t stream)
      : args_(args),
        size_(size),
        memory_(memory),
        stream_(stream),
        outer_(outer_of(args)),
        spectrum_(static_cast<const S*>(args.spectrum)),
        tap_scale_(TapScales(args, const_cast<void*>(args.spectrum)).of_spectrum) {}

  void forward() const {
    ApplyArgs<T> calls[2];
    forward_with<T>(args_, [&](const ApplyArgs<T>& made, std::int64_t, bool) { calls[0] = made; });
    for_each_group([&](const RowGroup& group) {
      const Sides sides{0, 1};
      bring(calls, sides, group);
      Device::template filter<Filter::plain>(side(0, group), spectrum_, group, outer_, stream_);
      give(calls, sides, group);
    });
  }

  void backward(const LongConvGradArgs& grad) const {
    const ApplyArgs<T> calls[2] = {input_gradient_call<T>(grad, 0),
                                   output_gate_gradient_call<T>(grad, 0)};
    const bool wants_filter = wants_filter_gradient(grad);
    const bool wants_dv = calls[0].out[0] != nullptr;
    const bool wants_dgate = calls[1].out[0] != nullptr;
    const Sides in = sides_of(wants_filter || wants_dv, wants_filter || wants_dgate);
    const Sides out = sides_of(wants_dv, wants_dgate);
    for_each_group([&](const RowGroup& group) {
      bring(calls, in, group);
      if (wants_filter) {
        correlate(group, wants_dv, wants_dgate);
      } else {
        if (wants_dv) {
          Device::template filter<Filter::conjugate>(side(0, group), spectrum_, group, outer_,
                                                     stream_);
        }
        if (wants_dgate) {
          Device::template filter<Filter::plain>(side(1, group), spectrum_, group, outer_, stream_);
        }
      }
      give(calls, out, group);
      if (wants_filter && group.b0 + group.batch == args_.batch) filter_gradient(grad, group);
    });
  }

 private:
  static Sides sides_of(bool w, bool v) { return {w ? 0 : 1, (w ? 1 : 0) + (v ? 1 : 0)}; }
  S* data() const { return static_cast<S*>(memory_.data); }
  S* side(int which, const RowGroup& group) const {
    return data() + which * group.rows() * row_bytes(args_) / std::int64_t{sizeof(S)};
  }
  RowScales scales() const { return {memory_.largest}; }

  template <class Use>
  void for_each_group(const Use& use) const {
    for (std::int64_t h = 0; h < args_.channels; h += size_.channels) {
      for (std::int64_t b = 0; b < args_.batch; b += size_.batch) {
        use(RowGroup{h, b,
                     static_cast<int>(std::min<std::int64_t>(size_.channels, args_.channels - h)),
                     static_cast<int>(std::min<std::int64_t>(size_.batch, args_.batch - b))});
      }
    }
  }
  void bring(const ApplyArgs<T> (&calls)[2], const Sides& sides, const RowGroup& group) const {
    if (sides.count == 0) return;
    const SignalRows<T> rows{
        {calls[0].in, calls[1].in}, group, scales(), static_cast<int>(args_.length)};
    const int first_row = sides.first * group.rows();
    const int count = sides.count * group.rows();
    run(largest_kernel<T>, std::int64_t{kParts} * count, 256, 0, stream_, rows, first_row);
    Device::in(rows, first_row, count, outer_, data(), stream_);
  }
  void give(const ApplyArgs<T> (&calls)[2], const Sides& sides, const RowGroup& group) const {
    if (sides.count == 0) return;
    Device::give(calls, sides, group, scales(), tap_scale_, outer_, data(), stream_);
  }
  void correlate(const RowGroup& group, bool wants_dv, bool wants_dgate) const {
    Device::correlate({data(), spectrum_, memory_.gradient, scales(), group, outer_, size_.splits,
                       group.b0 == 0, 1.0F},
                      wants_dv, wants_dgate, stream_);
  }
  void filter_gradient(const LongConvGradArgs& grad, const RowGroup& group) const {
    gradient_back(memory_.gradient, group.channels, size_.splits, outer_, stream_);
    GradientRows sink{static_cast<float*>(grad.dk),
                      static_cast<float*>(grad.dk_reverse),
                      static_cast<float*>(grad.dskip),
                      group.h0,
                      args_.taps,
                      args_.reverse_taps,
                      static_cast<int>(args_.length),
                      static_cast<int>(points_of(args_)),
                      args_.mode,
                      1.0F / static_cast<float>(outer_),
                      false};
    const std::int64_t stride = points_of(args_) * size_.splits;
    const auto out = [&] {
      FloatPasses::out(memory_.gradient, stride, group.channels, outer_, sink, stream_);
    };
    out();
    if (args_.mode != ConvMode::circular || grad.dk == nullptr) return;
    sink.second = true;
    out();
  }

  const LongConvArgs& args_;
  GroupSize size_;
  Workspace memory_;
  cudaStream_t stream_;
  int outer_;
  const S* spectrum_;
  const float* tap_scale_;
};

template <class T>
void forward(const LongConvArgs& args, Stream stream) {
  if (args.channels == 0 || args.batch == 0) return;
  const GroupSize size = group_size(args, row_bytes(args));
  Passes<T>(args, size, Workspace(args, size, false, args.workspace), stream).forward();
}
/// Taps that no output sees get zeros: by the caller, before.
void clear_filter_gradients(const LongConvGradArgs& args, cudaStream_t stream);
template <class T>
void backward(const LongConvGradArgs& args, Stream stream) {
  const LongConvArgs& in = args.inputs;
  if (in.channels == 0 || in.batch == 0) return;
  clear_filter_gradients(args, stream);
  const GroupSize size = group_size(in, 2 * row_bytes(in));
  Passes<T>(in, size, Workspace(in, size, true, args.workspace), stream).backward(args);
}

}  // namespace longconv::kernels::cuda::passes
