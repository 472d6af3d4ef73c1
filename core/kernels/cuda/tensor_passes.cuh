// Launches of the passes on tensor cores (tensor_outer.cuh).
#pragma once

#include "core/kernels/cuda/passes_launch.cuh"
#include "core/kernels/cuda/tensor_in.cuh"
#include "core/kernels/cuda/tensor_out.cuh"
#include "core/kernels/cuda/tensor_rings.cuh"

namespace longconv::kernels::cuda::passes {

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

}  // namespace longconv::kernels::cuda::passes
