// Launches of the passes in float32 (ring_passes.cuh).
#pragma once

#include "core/kernels/cuda/passes_launch.cuh"
#include "core/kernels/cuda/ring_passes.cuh"

namespace longconv::kernels::cuda::passes {

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

}  // namespace longconv::kernels::cuda::passes
