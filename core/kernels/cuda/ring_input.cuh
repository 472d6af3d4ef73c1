// A row on its way in: staged in shared memory while the row before it is transformed, measured and
// scaled for the outer stage (ring_outer.cuh).
#pragma once

#include "core/kernels/cuda/ring_outer.cuh"
#include "core/kernels/cuda/row_access.cuh"

#include <type_traits>

namespace longconv::kernels::cuda {

/// Two of a lane's vectors of a task, as they came from memory.
template <class T, bool kGated>
struct RawPair {
  uint4 a[2];
  uint4 b[kGated ? 2 : 1];

  /// Elements 2j and 2j + 1 of vector i.
  __device__ float2 pair(int i, int j) const {
    float2 x = unpack<T>(word_of(a[i], j));
    if constexpr (kGated) {
      const float2 y = unpack<T>(word_of(b[i], j));
      x.x *= y.x;
      x.y *= y.y;
    }
    return x;
  }
  /// Of the elements times `pre`.
  __device__ float sum_of_squares(float pre) const {
    float sum = 0.0F;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const float2 x = pair(i, j);
        sum = fmaf(x.x * pre, x.x * pre, sum);
        sum = fmaf(x.y * pre, x.y * pre, sum);
      }
    }
    return sum;
  }
  /// To a few percent, which does for a scale; in float's range, with half the instructions or
  /// less.
  __device__ float sum_of_squares() const {
    if constexpr (std::is_same_v<T, __nv_bfloat16>) {
      __nv_bfloat162 sum = __floats2bfloat162_rn(0.0F, 0.0F);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          __nv_bfloat162 x = as_bfloat162(word_of(a[i], j));
          if constexpr (kGated) x = __hmul2(x, as_bfloat162(word_of(b[i], j)));
          sum = __hfma2(x, x, sum);
        }
      }
      const float2 two = __bfloat1622float2(sum);
      return two.x + two.y;
    } else {
      return sum_of_squares(1.0F);
    }
  }
  /// Elements 2j and 2j + 1 of vector i times a power of two.
  __device__ float2 scaled_pair(int i, int j, float scale) const {
    if constexpr (std::is_same_v<T, __nv_bfloat16> && !kGated) {
      return __bfloat1622float2(
          __hmul2(as_bfloat162(word_of(a[i], j)), __float2bfloat162_rn(scale)));
    } else {
      const float2 x = pair(i, j);
      return {x.x * scale, x.y * scale};
    }
  }
};

/// A warp's tasks of the row that comes next, on their way into shared memory while the present one
/// is transformed: kTasks of them, kStride apart. Lanes copy neighbouring 16-byte pieces and read
/// back their own: position 32 i + lane (its low bits turned by the piece's place in its line, so
/// that both ways hit every bank once). Several rows can wait in slots, kSlotVectors each.
/// A gate that is not staged is read when it is needed.
template <class T, int R, bool kGated, bool kStagesGate, Access kAccess, int kTasks, int kStride>
struct RowStage {
  using Shape = RingShape<R>;
  static constexpr int kVectors = Shape::kVectors;
  static constexpr int kPerTask = kVectors * (kStagesGate ? 2 : 1);
  static constexpr int kSlotVectors = 32 * kTasks * kPerTask;
  static_assert(kTasks == 1 || kStride % kTaskStep<R> == 0);
  TaskPlace<R> place;  ///< of the first task
  const uint4* from;   // the lane's first vector
  std::uint32_t to;    // where it puts even pieces; odd ones: 32 bytes to or fro
  int piece;           // the element where its first piece begins

  __device__ static int position(int reader) { return reader ^ ((reader >> 3) & 3); }

  /// `memory`: the warp's own slots, aligned to 64 bytes.
  __device__ RowStage(uint4* memory, int first_task, int lane) : place(first_task, lane) {
    // Turn i copies slots l + 4 i: piece a of the half line of (slot, p).
    const int a = lane & 3;
    const int p = (lane >> 2) & 1;
    const int l = lane >> 3;
    const int set = R < 8 ? l / R : 0;
    const int n1 = R < 8 ? l % R : l;
    const int n21 = plan::row_n21(first_task * Shape::kSets + set) + plan::kPairStep * p;
    piece = n1 * plan::kRing + n21 * plan::kSide + 8 * a;
    from = memory + position(lane);
    to = shared_address(memory) + 16 * (32 * (l & 1) + position(4 * (2 * a + p) + l / 2));
  }

  /// kStage: into shared memory; else no further than the L2. `row` begins at the lane's piece.
  template <bool kStage>
  __device__ void copy(int at, const T* row, int ahead, int length) const {
    constexpr int kStep =
        R >= 8 ? 4 * plan::kRing : 16 * plan::kSide / R;  // four n1, or 4 / R sets
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      const int t = ahead + i * kStep;
      const bool inside = kAccess == Access::whole || piece + t < length;
      const std::uint32_t target = (i & 1 ? to ^ 32U : to) + 16 * (at + 64 * (i >> 1));
      if constexpr (!kStage) {
        if (piece % plan::kSide == 0 && inside) {
          asm volatile("prefetch.global.L2 [%0];" : : "l"(row + t));
        }
      } else if constexpr (kAccess == Access::scalar) {
        const uint4 x = load_eight<T, kAccess>(row - piece, piece + t, length);
        store_vector(target, x);
      } else {
        copy_later(target, inside ? row + t : row - piece, inside);
      }
    }
  }
  /// `gate` may be nullptr for ones.
  __device__ void start(int slot, const T* row, const T* gate, int length) const {
    __syncwarp();  // every lane has read what was there
#pragma unroll
    for (int i = 0; i < kTasks; ++i) {
      const int at = slot * kSlotVectors + 32 * i * kPerTask;
      copy<true>(at, row + piece, elements_on<R>(i * kStride), length);
      if constexpr (kGated) {
        if (gate != nullptr) {
          copy<kStagesGate>(at + 32 * kVectors, gate + piece, elements_on<R>(i * kStride), length);
        }
      }
    }
  }
  /// Until all copies but the last kPending committed groups have come.
  template <int kPending = 0>
  __device__ static void wait() {
    copies_wait<kPending>();
    __syncwarp();
  }
  /// The gates of a row that are not staged, all loaded at once: one latency instead of many.
  struct Gates {
    static constexpr bool kThere = kGated && !kStagesGate;
    uint4 of[kThere ? kTasks : 1][kVectors];
    bool any;  ///< staged ones: whether there are any
    /// `gate` as it was when the row was started.
    __device__ void load(const RowStage& stage, const T* gate, int length) {
      any = gate != nullptr;
      if constexpr (kThere) {
#pragma unroll
        for (int i = 0; i < kTasks; ++i) {
#pragma unroll
          for (int v = 0; v < kVectors; ++v) {
            of[i][v] =
                load_factor<T, kAccess>(gate, stage.place.on(i * kStride).element(v), length);
          }
        }
      }
    }
  };
  /// Vectors 2 v and 2 v + 1 of task i of a slot.
  __device__ RawPair<T, kGated> pair(int slot, int i, int v, const Gates& gates) const {
    RawPair<T, kGated> raw;
    const int at = slot * kSlotVectors + 32 * (i * kPerTask + 2 * v);
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      raw.a[j] = from[at + 32 * j];
      if constexpr (kStagesGate) {
        raw.b[j] = gates.any ? from[at + 32 * (kVectors + j)] : ones<T>();
      } else if constexpr (kGated) {
        raw.b[j] = gates.of[i][2 * v + j];
      }
    }
    return raw;
  }
  /// Of task i of a slot times `pre`; `quick` as RawPair has it.
  __device__ float sum_of_squares(bool quick, int slot, int i, const Gates& gates,
                                  float pre) const {
    float sum = 0.0F;
#pragma unroll
    for (int v = 0; v < kVectors / 2; ++v) {
      const RawPair<T, kGated> raw = pair(slot, i, v, gates);
      sum += quick ? raw.sum_of_squares() : raw.sum_of_squares(pre);
    }
    return sum;
  }
  /// Task i of a slot, times `scale`, as the outer stage's right operands.
  __device__ void scaled(int slot, int i, const Gates& gates, float scale,
                         Word (&right)[8][kVectors / 2]) const {
#pragma unroll
    for (int v = 0; v < kVectors / 2; ++v) {
      const RawPair<T, kGated> raw = pair(slot, i, v, gates);
#pragma unroll
      for (int j = 0; j < 8; j += 2) {
        const float2 x = raw.scaled_pair(0, j / 2, scale);
        const float2 y = raw.scaled_pair(1, j / 2, scale);
        right[j][v] = two_halves(x.x, y.x);
        right[j + 1][v] = two_halves(x.y, y.y);
      }
    }
  }
};

}  // namespace longconv::kernels::cuda
