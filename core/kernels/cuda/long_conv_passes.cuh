// Forward and backward in passes, on the host: which rows are under way at once, and what is done
// to them in which order.
#pragma once

#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/long_conv_passes.h"
#include "core/kernels/cuda/ring_launch.h"
#include "core/kernels/cuda/ring_passes.cuh"

#include <algorithm>

namespace longconv::kernels::cuda::passes {

/// Bytes of scratch that stay in an H100's L2 cache while they are read and written again.
inline constexpr std::int64_t kCacheBytes = 40 << 20;

/// How a call is cut into groups of rows: whole channels, or parts of one channel's batch.
struct GroupSize {
  int channels;
  int batch;
  int splits;  // of a group's batch, in the filter's gradient
};
GroupSize group_size(const LongConvArgs& args, std::int64_t bytes_of_row);

inline int outer_of(const LongConvArgs& args) { return plan::long_outer_for(args.length); }
inline std::int64_t points_of(const LongConvArgs& args) {
  return std::int64_t{plan::kRing} * outer_of(args);
}
/// Bytes of a row's scratch.
inline std::int64_t row_bytes(const LongConvArgs& args) {
  return points_of(args) * (args.dtype == Dtype::f32 ? 8 : 4);
}

/// Where things lie in a workspace.
struct Workspace {
  void* v;
  void* w;
  float2* gradient;
  float* v_largest;
  float* w_largest;
  std::int64_t bytes;

  /// Forward there is one signal, `w`, and no gradient.
  Workspace(const LongConvArgs& args, const GroupSize& size, bool backward, void* memory);
};

/// call.operator()<Q>().
template <class Call>
void with_long_outer(int outer, const Call& call) {
  switch (outer / plan::kSide) {
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
inline float down_of(int outer) {
  float down = 0.0F;
  with_long_outer(outer, [&]<int Q>() { down = OuterShape<Q>::kDown; });
  return down;
}

template <class Kernel, class... Args>
void run(Kernel kernel, std::int64_t blocks, int threads, int bytes, cudaStream_t stream,
         const Args&... args) {
  LONGCONV_CUDA_CHECK(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  kernel<<<static_cast<unsigned>(blocks), threads, bytes, stream>>>(args...);
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

template <class Rows, class S>
void pass_in(const Rows& rows, std::int64_t count, int outer, S* scratch, cudaStream_t stream) {
  with_long_outer(outer, [&]<int Q>() {
    using Shape = OuterShape<Q>;
    run(in_kernel<Rows, S, Q>, count * Shape::kBlocks, Shape::kThreads, Shape::kBytes, stream, rows,
        scratch);
  });
}
template <class Sink, class S>
void pass_out(const S* scratch, std::int64_t row_stride, std::int64_t count, int outer,
              const Sink& sink, cudaStream_t stream) {
  with_long_outer(outer, [&]<int Q>() {
    using Shape = OuterShape<Q>;
    run(out_kernel<Sink, S, Q>, count * Shape::kBlocks, Shape::kThreads, Shape::kBytes, stream,
        scratch, row_stride, sink);
  });
}
template <bool kForward, Filter kFilter, bool kBack, class S>
void pass_rings(S* data, const S* spectrum, const RowGroup& group, int outer, float factor,
                cudaStream_t stream) {
  const std::int64_t rings = std::int64_t{group.rows()} * outer;
  run(ring_kernel<S, kForward, kFilter, kBack>, (rings + kRingWarps - 1) / kRingWarps,
      32 * kRingWarps, kRingBytes, stream, data, spectrum, group, outer, factor);
}

/// A call with its plan and its memory.
template <class T>
class Passes {
  using S = Scratch<T>;

 public:
  Passes(const LongConvArgs& args, const GroupSize& size, const Workspace& memory,
         cudaStream_t stream)
      : args_(args),
        size_(size),
        memory_(memory),
        stream_(stream),
        outer_(outer_of(args)),
        down_(down_of(outer_)),
        spectrum_(static_cast<const S*>(args.spectrum)),
        tap_scale_(reinterpret_cast<const float*>(spectrum_ + args.channels * points_of(args))) {}

  void forward() const {
    const ApplyArgs<T> call = forward_call();
    for_each_group([&](const RowGroup& group) {
      bring(call.in, group, w(), memory_.w_largest);
      filter<Filter::plain>(w(), group);
      give(call, group, w(), memory_.w_largest);
    });
  }

  void backward(const LongConvGradArgs& grad) const {
    const ApplyArgs<T> dv = input_gradient_call<T>(grad, 0);
    const ApplyArgs<T> dgate = output_gate_gradient_call<T>(grad, 0);
    const bool wants_filter = wants_filter_gradient(grad);
    for_each_group([&](const RowGroup& group) {
      if (wants_filter || dgate.out[0] != nullptr) {
        bring(dgate.in, group, v(), memory_.v_largest);
        pass_rings<true, Filter::none, false>(v(), spectrum_, group, outer_, kSpectrumDown,
                                              stream_);
      }
      if (wants_filter || dv.out[0] != nullptr) bring(dv.in, group, w(), memory_.w_largest);
      if (wants_filter) {
        correlate(group);
      } else if (dv.out[0] != nullptr) {
        filter<Filter::conjugate>(w(), group);
      }
      if (dv.out[0] != nullptr) give(dv, group, w(), memory_.w_largest);
      if (dgate.out[0] != nullptr) {
        pass_rings<false, Filter::plain, true>(v(), spectrum_, group, outer_,
                                               1.0F / (plan::kRing * kSpectrumDown), stream_);
        give(dgate, group, v(), memory_.v_largest);
      }
      if (wants_filter && group.b0 + group.batch == args_.batch) filter_gradient(grad, group);
    });
  }

 private:
  /// Of a transformed row in fp16: it is up to 1,024 times as large as the rings were.
  static constexpr float kSpectrumDown = 1.0F / 32;

  S* v() const { return static_cast<S*>(memory_.v); }
  S* w() const { return static_cast<S*>(memory_.w); }

  ApplyArgs<T> forward_call() const {
    ApplyArgs<T> call;
    forward_with<T>(args_, [&](const ApplyArgs<T>& made, std::int64_t, bool) { call = made; });
    return call;
  }
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
  void bring(const Signal<T>& in, const RowGroup& group, S* to, float* largest) const {
    const SignalRows<T> rows{in, group, {largest}, static_cast<int>(args_.length)};
    largest_kernel<T><<<dim3(kParts, static_cast<unsigned>(group.rows())), 256, 0, stream_>>>(rows);
    LONGCONV_CUDA_CHECK(cudaGetLastError());
    pass_in(rows, group.rows(), outer_, to, stream_);
  }
  template <Filter kFilter>
  void filter(S* data, const RowGroup& group) const {
    pass_rings<true, kFilter, true>(data, spectrum_, group, outer_, 1.0F / plan::kRing, stream_);
  }
  void give(const ApplyArgs<T>& call, const RowGroup& group, const S* from, float* largest) const {
    const OutputRows<T> sink{
        call, group, {largest}, tap_scale_, 1.0F / (static_cast<float>(outer_) * down_)};
    pass_out(from, points_of(args_), group.rows(), outer_, sink, stream_);
  }
  void correlate(const RowGroup& group) const {
    const CorrelateArgs<S> call{w(),
                                v(),
                                spectrum_,
                                memory_.gradient,
                                {memory_.v_largest},
                                {memory_.w_largest},
                                group,
                                outer_,
                                size_.splits,
                                group.b0 == 0,
                                1.0F / (down_ * down_ * kSpectrumDown)};
    const std::int64_t tasks = std::int64_t{group.channels} * size_.splits * outer_;
    run(correlate_kernel<S>, (tasks + kCorrelateWarps - 1) / kCorrelateWarps, 32 * kCorrelateWarps,
        kCorrelateBytes, stream_, call);
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
    pass_out<GradientRows, float2>(memory_.gradient, stride, group.channels, outer_, sink, stream_);
    if (args_.mode != ConvMode::circular || grad.dk == nullptr) return;
    sink.second = true;
    pass_out<GradientRows, float2>(memory_.gradient, stride, group.channels, outer_, sink, stream_);
  }

  const LongConvArgs& args_;
  GroupSize size_;
  Workspace memory_;
  cudaStream_t stream_;
  int outer_;
  float down_;
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
