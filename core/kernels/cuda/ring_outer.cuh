// The outer stage of the ring kernels: rows of a tensor to R rings in shared memory and back.
//
// A task is 64 columns n2 (a pair of rows of plan::row_n21, all n22) of every n1, or for R < 8 as
// many such sets of columns as fill a 16x8 matrix: its rows are (set, re or im, k1), its columns
// (set, n1), zero where the sets differ. For R > 8, `sub` counts groups of eight rings.
// The blocks of a cluster share a row: each takes the columns of kTasks / kBlocks tasks.
#pragma once

#include "core/kernels/cuda/cluster.cuh"
#include "core/kernels/cuda/long_conv_calls.cuh"
#include "core/kernels/cuda/ring_tile.cuh"

namespace longconv::kernels::cuda {

/// Sizes that follow from R (and are powers of two) where kBlocks blocks share a row's columns.
template <int R, int kBlocks = 1>
struct RingShape {
  static constexpr int kLocal = R < 8 ? R : 8;  // rings of a sub
  static constexpr int kSubs = R / kLocal;
  static constexpr int kSets = 8 / kLocal;  // column sets of a task
  static constexpr int kTasks = 16 / kSets;
  static constexpr int kVectors = 2 * kSubs;          // 16-byte vectors a lane holds of a task
  static constexpr int kSteps = R <= 8 ? 1 : R / 16;  // products that contract n1
  static constexpr int kPoints = R * plan::kRing;
  // Words of a plane of a block's rows x 32 words and of a ring; the padding keeps the eight rows
  // of every 8x8 matrix in different banks.
  static constexpr int kRows = 16 / kBlocks;
  static constexpr int kPlane = 32 * kRows + (R == 1 ? 4 : R < 8 ? 16 : 0);
  static constexpr int kRing = (kPlane + 32 * kRows + 27) / 32 * 32 + 4;
};

/// Tasks that many apart (and multiples) lie at constant distances: plan::row_n21 adds up over
/// disjoint bits, and the swizzles look at a row's lowest two.
template <int R>
inline constexpr int kTaskStep = RingShape<R>::kSets >= 4 ? 1 : 4 / RingShape<R>::kSets;
template <int R>
__device__ constexpr int elements_on(int tasks) {
  return plan::row_n21(tasks * RingShape<R>::kSets) * plan::kSide;
}

/// How rows lie in memory.
enum class Access {
  whole,    ///< length = M, 16-byte aligned: nothing to check
  vectors,  ///< 16-byte aligned, a multiple of 8 elements
  scalar,   ///< anything
};

/// A lane's place in a task: it holds elements element(i) + 0..7 of a row, i < kVectors.
template <int R>
struct TaskPlace {
  int first = 0;
  TaskPlace() = default;
  __device__ TaskPlace(int task, int lane) {
    const int g = lane >> 2;
    const int slot = 2 * (lane & 3);
    const int set = R < 8 ? slot / R : 0;
    const int n1 = R < 8 ? slot % R : slot;
    const int n21 = plan::row_n21(task * RingShape<R>::kSets + set) + plan::kPairStep * (g & 1);
    first = n1 * plan::kRing + n21 * plan::kSide + 8 * (g >> 1);
  }
  /// Vector i belongs to slot 2q + i % 2 + 8 (i / 2).
  __device__ int element(int i) const {
    constexpr int kNextSlot = R == 1 ? 4 * plan::kSide : plan::kRing;  // the next set, or n1
    return first + (i & 1) * kNextSlot + (i >> 1) * 8 * plan::kRing;
  }
  /// That of the task `tasks` on, a multiple of kTaskStep.
  __device__ TaskPlace on(int tasks) const {
    TaskPlace place;
    place.first = first + elements_on<R>(tasks);
    return place;
  }
};

/// 16 bytes if `there`, else `other`: by a predicate, as branches would part one load from the
/// next.
__device__ inline uint4 load_if(bool there, const void* from, const uint4& other) {
  uint4 x = other;
  asm("{\n\t.reg .pred there;\n\tsetp.ne.b32 there, %5, 0;\n\t"
      "@there ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];\n\t}"
      : "+r"(x.x), "+r"(x.y), "+r"(x.z), "+r"(x.w)
      : "l"(from), "r"(static_cast<int>(there)));
  return x;
}
/// Eight elements of one tensor's row from `t` on; zeros beyond the row's end.
template <class T, Access kAccess>
__device__ inline uint4 load_eight(const T* row, int t, int length) {
  if constexpr (kAccess == Access::whole) {
    return __ldg(reinterpret_cast<const uint4*>(row + t));
  } else if constexpr (kAccess == Access::vectors) {
    return load_if(t < length, row + t, make_uint4(0, 0, 0, 0));
  } else {
    T element[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) element[i] = t + i < length ? row[t + i] : from_float<T>(0.0F);
    return *reinterpret_cast<const uint4*>(element);
  }
}
template <class T, Access kAccess>
__device__ inline void store_eight(T* row, int t, int length, const float (&value)[8]) {
  if constexpr (kAccess != Access::scalar) {
    const uint4 x = make_uint4(pack<T>(value[0], value[1]), pack<T>(value[2], value[3]),
                               pack<T>(value[4], value[5]), pack<T>(value[6], value[7]));
    if (kAccess == Access::whole || t < length) *reinterpret_cast<uint4*>(row + t) = x;
  } else {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      if (t + i < length) row[t + i] = from_float<T>(value[i]);
    }
  }
}

__device__ inline Word word_of(const uint4& v, int i) {
  return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

__device__ inline __nv_bfloat162 as_bfloat162(Word w) {
  return *reinterpret_cast<const __nv_bfloat162*>(&w);
}
/// Eight ones.
template <class T>
__device__ inline uint4 ones() {
  const Word word = pack<T>(1.0F, 1.0F);
  return make_uint4(word, word, word, word);
}
/// Eight elements of a row of factors; `row` may be nullptr for ones.
template <class T, Access kAccess>
__device__ inline uint4 load_factor(const T* row, int t, int length) {
  if constexpr (kAccess == Access::scalar) {
    return row == nullptr ? ones<T>() : load_eight<T, kAccess>(row, t, length);
  } else {  // what is beyond the end meets a zero
    const bool inside = kAccess == Access::whole || t < length;
    return load_if(row != nullptr && inside, row + t, ones<T>());
  }
}

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

/// Row (set, re or im, k1) `kappa` of the outer matrix of `sub`, column `slot` = (set, n1).
template <int R>
__device__ inline float outer_entry(int sub, int kappa, int slot) {
  constexpr int kLocal = RingShape<R>::kLocal;
  const int set = kappa / (2 * kLocal);
  const int k1 = 8 * sub + kappa % kLocal;
  const int n1 = R < 8 ? slot % R : slot;
  if (R < 8 && slot / R != set) return 0.0F;
  const float2 w = root(plan::outer_phase(R, n1, k1), rsqrtf(static_cast<float>(R)));
  return (kappa / kLocal) % 2 == 0 ? w.x : w.y;
}

/// The outer matrices in shared memory: left operands contract n1, right ones (set, part, k1).
template <int R>
struct OuterMatrices {
  using Shape = RingShape<R>;
  static constexpr int kLeft = R <= 8 ? 2 : 4;  // words of one left operand
  static constexpr int kLeftWords = 32 * Shape::kSubs * Shape::kSteps * kLeft;
  static constexpr int kRightWords = 32 * Shape::kSubs * Shape::kSubs * 2;
  static constexpr int kWords = kLeftWords + kRightWords;
  const Word* words;

  __device__ void make(Word* memory, int thread, int threads) {
    words = memory;
    for (int at = thread; at < kLeftWords; at += threads) {
      const int i = at % kLeft;
      const int lane = at / kLeft % 32;
      const int step = at / kLeft / 32 % Shape::kSteps;
      const int sub = at / kLeft / 32 / Shape::kSteps;
      const int row = lane / 4 + 8 * (i & 1);
      const int column = 16 * step + 2 * (lane % 4) + 8 * (i >> 1);
      memory[at] =
          two_halves(outer_entry<R>(sub, row, column), outer_entry<R>(sub, row, column + 1));
    }
    for (int at = thread; at < kRightWords; at += threads) {
      const int i = at % 2;
      const int lane = at / 2 % 32;
      const int sub = at / 64 % Shape::kSubs;
      const int nt = at / 64 / Shape::kSubs;
      const int row = 2 * (lane % 4) + 8 * i;
      const int column = 8 * nt + lane / 4;
      memory[kLeftWords + at] =
          two_halves(outer_entry<R>(sub, row, column), outer_entry<R>(sub, row + 1, column));
    }
  }
  /// Of sub `s` and contraction step `step`.
  __device__ void left(int lane, int s, int step, Word (&a)[kLeft]) const {
    const Word* const from = words + ((s * Shape::kSteps + step) * 32 + lane) * kLeft;
#pragma unroll
    for (int i = 0; i < kLeft; ++i) a[i] = from[i];
  }
  __device__ void right(int lane, int nt, int sub, Word (&b)[2]) const {
    const Word* const from = words + kLeftWords + ((nt * Shape::kSubs + sub) * 32 + lane) * 2;
    b[0] = from[0];
    b[1] = from[1];
  }
};

/// Address of the lane's row of `sub` in chunk 0 of a task's columns, and the swizzle to apply to
/// chunks: chunk j lies at row + 16 (j ^ swizzle). Tasks count from the block's first.
template <int R, int kBlocks>
struct MatrixRow {
  using Shape = RingShape<R, kBlocks>;
  std::uint32_t address;
  int swizzle;
  __device__ MatrixRow(std::uint32_t rings, int task, int kappa) {
    const int set = kappa / (2 * Shape::kLocal);
    const int part = kappa / Shape::kLocal % 2;
    const int k1 = kappa % Shape::kLocal;
    const int row = task * Shape::kSets + set;
    address = rings + 4 * (k1 * Shape::kRing + part * Shape::kPlane + 32 * row);
    swizzle = 2 * (row & 3);
  }
  /// For outer_forward and for outer_inverse.
  __device__ static MatrixRow forward(std::uint32_t rings, int task, int lane) {
    return {rings, task, 8 * (lane / 8 % 2) + lane % 8};
  }
  __device__ static MatrixRow inverse(std::uint32_t rings, int task, int lane) {
    return {rings, task, 8 * (lane / 16) + lane % 8};
  }
  /// Those of the task `tasks` on, a multiple of kTaskStep.
  __device__ MatrixRow on(int tasks) const {
    MatrixRow row = *this;
    row.address += 4 * 32 * tasks * Shape::kSets;
    return row;
  }
  __device__ std::uint32_t chunk(int sub, int j) const {
    return address + 4 * 8 * sub * Shape::kRing + 16 * (j ^ swizzle);
  }
};

/// A task's columns, as right operands [column tile][slots 2q, 2q+1 of eight], through the outer
/// stage into the rings of sub `s`.
template <int R, int kBlocks>
__device__ inline void outer_forward(const Word (&right)[8][RingShape<R>::kVectors / 2],
                                     const OuterMatrices<R>& matrices,
                                     const MatrixRow<R, kBlocks>& row, int s, int lane) {
  using Shape = RingShape<R>;
  const int upper = lane / 16;
  Word left[Shape::kSteps][OuterMatrices<R>::kLeft];
#pragma unroll
  for (int step = 0; step < Shape::kSteps; ++step) matrices.left(lane, s, step, left[step]);
#pragma unroll
  for (int j = 0; j < 8; j += 2) {
    Word d[2][2] = {};
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
      if constexpr (R <= 8) {
        multiply_add(d[tile], left[0], right[j + tile][0]);
      } else {
#pragma unroll
        for (int step = 0; step < Shape::kSteps; ++step) {
          const Word b[2] = {right[j + tile][2 * step], right[j + tile][2 * step + 1]};
          multiply_add(d[tile], left[step], b);
        }
      }
    }
    store_matrices(row.chunk(s, j | upper), d[0][0], d[0][1], d[1][0], d[1][1]);
  }
}

/// 16 bytes to shared memory, later: zeros if not `there`.
__device__ inline void copy_later(std::uint32_t to, const void* from, bool there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(to), "l"(from), "r"(there ? 16 : 0)
               : "memory");
}
__device__ inline void copies_commit() { asm volatile("cp.async.commit_group;" : : : "memory"); }
template <int kPending>
__device__ inline void copies_wait() {
  if constexpr (kPending == 0) {
    asm volatile("cp.async.wait_all;" : : : "memory");
  } else {
    asm volatile("cp.async.wait_group %0;" : : "n"(kPending) : "memory");
  }
}

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

/// The way back, real parts: value[i][j] is element j of the lane's vector first + i.
template <int R, int kBlocks, int kCount>
__device__ inline void outer_inverse(const OuterMatrices<R>& matrices,
                                     const MatrixRow<R, kBlocks>& rows, int first, int lane,
                                     float (&value)[kCount][8]) {
  using Shape = RingShape<R>;
  const int upper = lane / 8 % 2;
#pragma unroll
  for (int j = 0; j < 8; j += 2) {
    float sum[kCount / 2][4] = {};
#pragma unroll
    for (int sub = 0; sub < Shape::kSubs; ++sub) {
      Word a[4];
      load_matrices_transposed(a, rows.chunk(sub, j | upper));
#pragma unroll
      for (int nt = 0; nt < kCount / 2; ++nt) {
        Word right[2];
        matrices.right(lane, first / 2 + nt, sub, right);
        multiply_add(sum[nt], a, right);
      }
    }
#pragma unroll
    for (int nt = 0; nt < kCount / 2; ++nt) {
      value[2 * nt][j] = sum[nt][0];
      value[2 * nt + 1][j] = sum[nt][1];
      value[2 * nt][j + 1] = sum[nt][2];
      value[2 * nt + 1][j + 1] = sum[nt][3];
    }
    if constexpr (Shape::kSubs > 1) fence();
  }
}

template <class T>
__device__ inline float skip_of(const ApplyArgs<T>& call, int h) {
  return call.skip == nullptr ? 0.0F : call.skip[h];
}
/// One row of a call: out_i = factor_i * (inverse + skip a b); pointers to the row, or nullptr.
template <class T>
struct RowOutputs {
  const T* a;
  const T* b;
  const T* factor[2];
  T* out[2];
  bool skips;
  float skip;
  float unscale;  ///< what the rings are to be multiplied by

  /// `skip_of_row` is skip_of(call, h): loaded once a channel.
  __device__ RowOutputs(const ApplyArgs<T>& call, int h, int b_row, float skip_of_row, float scale)
      : skips(call.skip != nullptr), skip(skip_of_row), unscale(scale) {
    const std::int64_t channel = static_cast<std::int64_t>(h) * call.length;
    a = call.in.a + b_row * call.in.a_stride + channel;
    b = call.in.b == nullptr ? nullptr : call.in.b + b_row * call.in.b_stride + channel;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      factor[i] = call.factor[i] == nullptr
                      ? nullptr
                      : call.factor[i] + b_row * call.factor_stride[i] + channel;
      out[i] = call.out[i] == nullptr ? nullptr : call.out[i] + b_row * call.out_stride + channel;
    }
  }
};

/// value *= eight elements.
template <class T>
__device__ inline void multiply_eight(float (&value)[8], const uint4& x) {
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const float2 p = unpack<T>(word_of(x, j));
    value[2 * j] *= p.x;
    value[2 * j + 1] *= p.y;
  }
}

/// What a call's outputs need of kCount of a task's vectors, from vector `first` on: loaded
/// together, so that one latency is waited for and not one a vector.
template <class T, int R, Access kAccess, int kCount>
struct OutputInputs {
  uint4 a[kCount];
  uint4 b[kCount];
  uint4 factor[2][kCount];

  __device__ void load(const RowOutputs<T>& row, const TaskPlace<R>& place, int first, int length) {
    const auto all = [&](uint4(&to)[kCount], const T* from) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        to[i] = load_eight<T, kAccess>(from, place.element(first + i), length);
      }
    };
    if (row.skips) {
      all(a, row.a);
      if (row.b != nullptr) all(b, row.b);
    }
    if (row.factor[0] != nullptr) all(factor[0], row.factor[0]);
    if (row.factor[1] != nullptr) all(factor[1], row.factor[1]);
  }
  /// Vector i of those loaded, from the unscaled values of its task.
  __device__ void write(int i, const RowOutputs<T>& row, int t, int length,
                        float (&value)[8]) const {
    if (row.skips) {
      // The skip stays out of the 16-bit transform: it is added here, in float.
      float x[8];
#pragma unroll
      for (int j = 0; j < 8; ++j) x[j] = row.skip;
      multiply_eight<T>(x, a[i]);
      if (row.b != nullptr) multiply_eight<T>(x, b[i]);
#pragma unroll
      for (int j = 0; j < 8; ++j) value[j] += x[j];
    }
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      if (row.out[k] == nullptr) continue;
      float result[8];
#pragma unroll
      for (int j = 0; j < 8; ++j) result[j] = value[j];
      if (row.factor[k] != nullptr) multiply_eight<T>(result, factor[k][i]);
      store_eight<T, kAccess>(row.out[k], t, length, result);
    }
  }
};

/// The same on its way through shared memory, so that it costs no registers until it is there.
template <class T, int R, Access kAccess, int kCount>
struct OutputStage {
  static constexpr int kSlotVectors = 4 * kCount * 32;
  uint4* column;  ///< the lane's, of the warp's slot: every lane reads what it has asked for itself

  /// Vectors from place.first on.
  __device__ void start(const RowOutputs<T>& row, const TaskPlace<R>& place, int length) const {
    const auto all = [&](int array, const T* from) {
      if (from == nullptr) return;
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        uint4* const to = column + 32 * (kCount * array + i);
        const int t = place.element(i);
        if constexpr (kAccess == Access::scalar) {
          *to = load_eight<T, kAccess>(from, t, length);
        } else {
          const bool inside = kAccess == Access::whole || t < length;
          copy_later(shared_address(to), inside ? from + t : from, inside);
        }
      }
    };
    if (row.skips) {
      all(0, row.a);
      all(1, row.b);
    }
    all(2, row.factor[0]);
    all(3, row.factor[1]);
  }
  __device__ OutputInputs<T, R, kAccess, kCount> take() const {
    OutputInputs<T, R, kAccess, kCount> inputs;
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      inputs.a[i] = column[32 * i];
      inputs.b[i] = column[32 * (kCount + i)];
      inputs.factor[0][i] = column[32 * (2 * kCount + i)];
      inputs.factor[1][i] = column[32 * (3 * kCount + i)];
    }
    return inputs;
  }
};

/// Results that need nothing but their scale, at place.element(0..).
template <Access kAccess, class T, int R, int kCount>
__device__ inline void write_plain(const RowOutputs<T>& row, const TaskPlace<R>& place, int length,
                                   float (&value)[kCount][8]) {
#pragma unroll
  for (int v = 0; v < kCount; ++v) {
#pragma unroll
    for (int j = 0; j < 8; ++j) value[v][j] *= row.unscale;
    store_eight<T, kAccess>(row.out[0], place.element(v), length, value[v]);
  }
}

/// kCount vectors of one task, from vector `first` on (even), through the inverse outer stage and
/// out. kPlain: out[0] alone, without skip or factor; else kAtOnce vectors' gates and skip are
/// loaded together, the first of them before the stage: worth it where registers abound.
template <Access kAccess, bool kPlain, int kAtOnce, int kCount, class T, int R, int kBlocks>
__device__ inline void write_vectors(const OuterMatrices<R>& matrices,
                                     const MatrixRow<R, kBlocks>& rows, int first, int lane,
                                     TaskPlace<R> place, int length, const RowOutputs<T>& row) {
  place.first = place.element(first);
  OutputInputs<T, R, kAccess, kAtOnce> inputs;
  if constexpr (!kPlain && kAtOnce > 1) inputs.load(row, place, 0, length);
  float value[kCount][8];
  outer_inverse(matrices, rows, first, lane, value);
#pragma unroll
  for (int v = 0; v < kCount; ++v) {
    const int t = place.element(v);
#pragma unroll
    for (int j = 0; j < 8; ++j) value[v][j] *= row.unscale;
    if constexpr (kPlain) {
      store_eight<T, kAccess>(row.out[0], t, length, value[v]);
    } else {
      if (v % kAtOnce == 0 && (v > 0 || kAtOnce == 1)) {
        place.first = renewed(place.first);  // one load of all would need too many registers
        inputs.load(row, place, v, length);
      }
      inputs.write(v % kAtOnce, row, t, length, value[v]);
    }
  }
}

}  // namespace longconv::kernels::cuda
