// Forward and backward in passes, on the host: which rows are under way at once, and what is done
// to them in which order.
#pragma once

#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/long_conv_passes.h"
#include "core/kernels/cuda/ring_launch.h"
#include "core/kernels/cuda/ring_passes.cuh"
#include "core/kernels/cuda/tensor_in.cuh"
#include "core/kernels/cuda/tensor_out.cuh"
#include "core/kernels/cuda/tensor_rings.cuh"

#include <algorithm>
#include <type_traits>

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
  void* data;  // the rows' rings, side by side
  float2* gradient;
  float* largest;
  std::int64_t bytes;

  /// Forward there is one side and no gradient.
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
/// A launch that may begin while the one before it ends: every kernel here calls after_last_pass()
/// before it touches what others wrote.
template <class... Params, class... Args>
void run(void (*kernel)(Params...), std::int64_t blocks, int threads, int bytes,
         cudaStream_t stream, const Args&... args) {
  LONGCONV_CUDA_CHECK(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  cudaLaunchAttribute early{};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = static_cast<std::size_t>(bytes);
  config.stream = stream;
  config.attrs = &early;
  config.numAttrs = 1;
  LONGCONV_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, Params(args)...));
}

/// scale[h] of each channel's filter, powers of two but for the first.
struct TapScales {
  float* of_spectrum;  ///< how many times the filter's transform its spectrum is
  float* of_taps;      ///< what taps are multiplied by on their way in
  float* of_rings;     ///< and transformed rings on their way to the spectrum

  /// Behind the spectra.
  static constexpr int kBytes = 3 * 4;  // of a channel
  TapScales(const LongConvArgs& args, void* spectrum)
      : of_spectrum(reinterpret_cast<float*>(static_cast<char*>(spectrum) +
                                             args.channels * row_bytes(args))),
        of_taps(of_spectrum + args.channels),
        of_rings(of_taps + args.channels) {}
};

/// The passes of float32 rows, and of every filter's gradient. Here the transform is 1024 times
/// the rings' in size, and they are made smaller on their way in.
struct FloatPasses {
  using S = float2;

  static float down(int outer) {
    float down = 0.0F;
    with_long_outer(outer, [&]<int Q>() { down = OuterShape<Q>::kDown; });
    return down;
  }
  template <class Rows>
  static void in(const Rows& rows, int first_row, int count, int outer, S* scratch,
                 cudaStream_t stream) {
    with_long_outer(outer, [&]<int Q>() {
      using Shape = OuterShape<Q>;
      run(in_kernel<Rows, Q>, std::int64_t{count} * Shape::kBlocks, Shape::kThreads, Shape::kBytes,
          stream, rows, first_row, scratch);
    });
  }
  static void taps(const FilterRows& filter, const TapScales& scales, int count, int outer,
                   S* scratch, cudaStream_t stream) {
    in(TapRows{filter, scales.of_taps, plan::kRing * outer}, 0, count, outer, scratch, stream);
  }
  template <class Sink>
  static void out(const S* scratch, std::int64_t row_stride, std::int64_t count, int outer,
                  const Sink& sink, cudaStream_t stream) {
    with_long_outer(outer, [&]<int Q>() {
      using Shape = OuterShape<Q>;
      run(out_kernel<Sink, Q>, count * Shape::kBlocks, Shape::kThreads, Shape::kBytes, stream,
          scratch, row_stride, sink);
    });
  }
  static void give(const ApplyArgs<float> (&calls)[2], const Sides& sides, const RowGroup& group,
                   const RowScales& scales, const float* tap_scale, int outer, const S* from,
                   cudaStream_t stream) {
    const float factor = 1.0F / (static_cast<float>(outer) * down(outer));
    const std::int64_t points = std::int64_t{plan::kRing} * outer;
    for (int side = sides.first; side < sides.first + sides.count; ++side) {
      const int first_row = side * group.rows();
      out(from + first_row * points, points, group.rows(), outer,
          OutputRows{calls[side], group, first_row, scales, tap_scale, factor}, stream);
    }
  }
  template <bool kForward, Filter kFilter, bool kBack>
  static void rings(S* data, const S* spectrum, const RowGroup& group, int outer, float factor,
                    cudaStream_t stream) {
    const std::int64_t rings = std::int64_t{group.rows()} * outer;
    run(ring_kernel<kForward, kFilter, kBack>, (rings + kRingWarps - 1) / kRingWarps,
        32 * kRingWarps, kRingBytes, stream, data, spectrum, group, outer, factor);
  }
  static void forward_taps(S* data, const TapScales&, const RowGroup& all, int outer,
                           cudaStream_t stream) {
    rings<true, Filter::none, false>(data, nullptr, all, outer, 1.0F / down(outer), stream);
  }
  template <Filter kFilter>
  static void filter(S* data, const S* spectrum, const RowGroup& group, int outer,
                     cudaStream_t stream) {
    rings<true, kFilter, true>(data, spectrum, group, outer, 1.0F / plan::kRing, stream);
  }
  static void correlate(CorrelateArgs<S> call, bool wants_w, bool wants_v, cudaStream_t stream) {
    S* const v = call.data + std::int64_t{call.group.rows()} * call.outer * plan::kRing;
    rings<true, Filter::none, false>(v, nullptr, call.group, call.outer, 1.0F, stream);
    call.factor = 1.0F / (down(call.outer) * down(call.outer));
    run(wants_w ? correlate_kernel<true> : correlate_kernel<false>,
        (call.tasks() + kCorrelateWarps - 1) / kCorrelateWarps, 32 * kCorrelateWarps,
        kCorrelateBytes, stream, call);
    if (!wants_v) return;
    rings<false, Filter::plain, true>(v, call.spectrum, call.group, call.outer, 1.0F / plan::kRing,
                                      stream);
  }
};

/// Blocks that take so many parts in turn, `most` a multiprocessor.
inline std::int64_t in_turn(std::int64_t parts, int most) {
  return std::min<std::int64_t>(parts, std::int64_t{most} * multiprocessors());
}
/// call.operator()<OuterSplit<P, Q>>(): P, the matrices' share, is the larger the less registers
/// would hold Q. Longest is that of the longest rows, where shared memory decides.
template <class Longest, class Call>
void with_split(int outer, const Call& call) {
  switch (outer) {
    case 64:
      return call.template operator()<OuterSplit<32, 2>>();
    case 128:
      return call.template operator()<OuterSplit<32, 4>>();
    case 256:
      return call.template operator()<OuterSplit<32, 8>>();
    case 512:
      return call.template operator()<OuterSplit<64, 8>>();
    default:
      return call.template operator()<Longest>();
  }
}
template <bool kAddTurned, class Rows>
void tensor_in(const Rows& rows, int first_row, int count, int outer, uint4* scratch,
               cudaStream_t stream) {
  with_split<OuterSplit<128, 8>>(outer, [&]<class Split>() {
    using Shape = InShape<Split, Rows>;
    const int parts = count * Shape::kParts;
    run(tensor_in_kernel<Rows, Split, kAddTurned>, in_turn(parts, Shape::kBlocks), Shape::kThreads,
        Shape::bytes(rows), stream, rows, first_row, parts, scratch);
  });
}

/// The passes of 16-bit rows. Here every transform keeps the energy.
template <class T>
struct TensorPasses {
  using S = uint4;

  static void in(const SignalRows<T>& rows, int first_row, int count, int outer, S* scratch,
                 cudaStream_t stream) {
    bool vectors = rows.length % 8 == 0;
    for (const Signal<T>& side : rows.in) {
      vectors = vectors && by_vectors(side.a, side.a_stride) && by_vectors(side.b, side.b_stride);
    }
    if (vectors) {
      tensor_in<false>(SignalPieces<T, Access::vectors>{rows}, first_row, count, outer, scratch,
                       stream);
    } else {
      tensor_in<false>(SignalPieces<T, Access::scalar>{rows}, first_row, count, outer, scratch,
                       stream);
    }
  }
  static void taps(const FilterRows& filter, const TapScales& scales, int count, int outer,
                   S* scratch, cudaStream_t stream) {
    TapPieces pieces{filter, scales.of_taps, plan::kRing * outer, false};
    tensor_in<false>(pieces, 0, count, outer, scratch, stream);
    if (filter.mode == ConvMode::causal) return;
    pieces.imaginary = true;
    tensor_in<true>(pieces, 0, count, outer, scratch, stream);
  }
  static void give(const ApplyArgs<T> (&calls)[2], const Sides& sides, const RowGroup& group,
                   const RowScales& scales, const float* tap_scale, int outer, const S* from,
                   cudaStream_t stream) {
    const OutputPieces<T> rows{
        {calls[0], calls[1]}, group, scales, tap_scale, calls[sides.first].length};
    bool vectors = true;
    for (int side = sides.first; side < sides.first + sides.count; ++side) {
      vectors = vectors && calls[side].by_vectors();
    }
    with_split<OuterSplit<64, 16>>(outer, [&]<class Split>() {
      using Shape = OutShape<Split>;
      const int parts = sides.count * group.rows() * Shape::kParts;
      run(vectors ? tensor_out_kernel<T, Access::vectors, Split>
                  : tensor_out_kernel<T, Access::scalar, Split>,
          in_turn(parts, Shape::kBlocks), Shape::kThreads, Shape::kBytes, stream, from,
          sides.first * group.rows(), parts, rows);
    });
  }
  template <Filter kFilter>
  static void rings(S* data, const S* spectrum, const RowGroup& group, int outer,
                    const float* factor, cudaStream_t stream) {
    const std::int64_t rings = std::int64_t{group.rows()} * outer;
    const std::int64_t blocks = (rings + kTensorRingWarps - 1) / kTensorRingWarps;
    run(tensor_ring_kernel<kFilter>, in_turn(blocks, 2), 32 * kTensorRingWarps,
        tensor_ring_bytes(kTensorRingWarps, kTensorRingStages), stream, data, spectrum, group,
        outer, factor);
  }
  static void forward_taps(S* data, const TapScales& scales, const RowGroup& all, int outer,
                           cudaStream_t stream) {
    rings<Filter::none>(data, nullptr, all, outer, scales.of_rings, stream);
  }
  template <Filter kFilter>
  static void filter(S* data, const S* spectrum, const RowGroup& group, int outer,
                     cudaStream_t stream) {
    rings<kFilter>(data, spectrum, group, outer, nullptr, stream);
  }
  static void correlate(CorrelateArgs<S> call, bool wants_w, bool wants_v, cudaStream_t stream) {
    call.factor = static_cast<float>(plan::kRing * call.outer);
    const auto kernel =
        wants_w
            ? (wants_v ? tensor_correlate_kernel<true, true> : tensor_correlate_kernel<true, false>)
            : (wants_v ? tensor_correlate_kernel<false, true>
                       : tensor_correlate_kernel<false, false>);
    run(kernel, (call.tasks() + kTensorCorrelateWarps - 1) / kTensorCorrelateWarps,
        32 * kTensorCorrelateWarps,
        tensor_ring_bytes(kTensorCorrelateWarps, kTensorCorrelateStages), stream, call);
  }
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
