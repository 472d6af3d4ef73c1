// Backward through the ring transform, everything from one reading of the rows:
//
//   V = transform(g_in u), DW = transform(g_out dy)
//   sum_b DW_b conj(V_b)                         the filter's gradient in frequency
//   inverse(DW conj(K)), inverse(V K)            du and dg_in; dg_out
//
// A cluster of blocks owns one channel, a block eight of its rings (R < 8: all of them, of 8 / R
// batch rows side by side), a warp one ring. The filter's gradient stays in that warp's registers,
// in float, over the whole batch: no partial sums in memory, no atomics. Batch rows go in `splits`
// parts when channels alone do not fill the device.
//
// Warps have two trades, because a row's phases wait for each other: eight *ring warps* transform
// rings; *outer warps* bring rows in (scale, outer stage) and take results out (outer stage back,
// gates, store), for the next row and the last one meanwhile. They are one team of four, or where
// they have much to wait for two, one for v and one for w. Three buffers go between the trades,
// each with a barrier for full and one for empty: two inwards, z outwards.
//
// With gates or skip (not kPlain) the outer warps have most to do, and the inputs to read again on
// the way out. These come by asynchronous copies, a unit of two vectors a lane ahead: loads into
// registers would be waited for, or spill what the rest of the kernel needs.
//
// In a cluster each block's outer warps own a share of the columns. They leave them in the first
// buffer, where the block's own rings stay, and send the rest to the other blocks' second buffers,
// v and then w; results come back in the same way. Asynchronous stores do that, whose bytes the
// receiver's barrier counts: loads from another block's memory would make the ring warps wait.
#pragma once

#include "core/kernels/cuda/long_conv_ring_filter.h"
#include "core/kernels/cuda/ring_input.cuh"
#include "core/kernels/cuda/ring_launch.h"
#include "core/kernels/cuda/ring_output.cuh"
#include "core/kernels/cuda/ring_row.cuh"

#include <algorithm>
#include <type_traits>

namespace longconv::kernels::cuda {

template <class T>
struct BackwardArgs {
  ApplyArgs<T> dv;     ///< of dw: out du and dgate_in
  ApplyArgs<T> dgate;  ///< of v: out dgate_out
  RingGradient out;
  const uint4* spectrum;
  const float* unscale;
};

template <class T, int R, bool kGated, bool kPlain>
struct BackwardShape {
  static constexpr int kBlocks = R <= 8 ? 1 : R / 8;  // of a cluster
  using Shape = RingShape<R, kBlocks>;
  static constexpr int kLocal = Shape::kLocal;  // a block's rings of one row
  static constexpr int kRows = 8 / kLocal;      // batch rows side by side
  static constexpr int kRingWarps = 8;
  static constexpr int kTeams = kPlain && R == 32 ? 2 : 1;  // measured: docs/kernels.md
  static constexpr int kTeamWarps = 4;
  static constexpr int kOuterWarps = kTeams * kTeamWarps;
  static constexpr int kThreads = 32 * (kRingWarps + kOuterWarps);
  // A thread has kRegisters at the launch; what one trade leaves, the other takes (and waits for).
  static constexpr int kRegisters = 65536 / kThreads / 8 * 8;
  static constexpr int kRingRegisters = kTeams == 2 ? 168 : kPlain ? 200 : 184;
  static constexpr int kOuterRegisters = kTeams == 2 ? 88 : kPlain ? 104 : 136;
  static_assert(kRingWarps * kRingRegisters + kOuterWarps * kOuterRegisters <=
                (kRingWarps + kOuterWarps) * kRegisters);
  // A team's warps of a block on one row; or rows of one of them; its tasks of a row.
  static constexpr int kRowWarps = kRows < kTeamWarps ? kTeamWarps / kRows : 1;
  static constexpr int kRowsPerWarp = kRows < kTeamWarps ? 1 : kRows / kTeamWarps;
  static constexpr int kTasks = Shape::kTasks / kBlocks / kRowWarps;
  // Where dg_out may be wanted, v's spectrum waits where v came from while dv is made: it would be
  // spilled else. Not in a cluster, where w comes to the same place.
  static constexpr bool kStashes = !kPlain && kBlocks == 1;
  static constexpr bool kExchanges = kRowWarps * kBlocks > 1;  // a row's energy is several warps'
  using Transform = RingTransform<R, kLocal, true>;
  using Outer = OuterMatrices<R>;
  template <Access kAccess>
  using StageOf = RowStage<T, R, kGated, kGated && R <= 4, kAccess, kTasks, kRowWarps>;
  // Rows on their way, of a warp: both signals' unless there is much to do between them.
  static constexpr int kSlots = kRowsPerWarp * (kPlain ? 3 - kTeams : 1);
  // A result's vectors a lane makes at once: gates want registers. Two teams halve a warp's tasks,
  // or the vectors of its one task.
  static constexpr bool kHalves = kTeams == 2 && kTasks == 1;
  static constexpr int kShare = Shape::kVectors / (kHalves ? 2 : 1);  // vectors of a task
  static constexpr int kCount = std::min(kShare, kPlain ? 4 : 2);
  template <Access kAccess>
  using OutputStageOf = OutputStage<T, R, kAccess, kCount>;
  static constexpr int kRowBytes = 16 * kSlots * StageOf<Access::whole>::kSlotVectors;
  static constexpr int kWarpBytes =
      kRowBytes + (kPlain ? 0 : 16 * OutputStageOf<Access::whole>::kSlotVectors);
  // Words of a row in a buffer, and what of them goes to one block: its rings. Bytes of shared
  // memory from the block's start.
  static constexpr int kRowWords = R * Shape::kRing;
  static constexpr int kShareBytes = 4 * kLocal * Shape::kRing;
  static constexpr int kBuffer = 4 * kRows * kRowWords;
  static constexpr int kOuter = 16 * Transform::kVectors;
  static constexpr int kRings = kOuter + 4 * Outer::kWords;
  static constexpr int kStage = (kRings + 3 * kBuffer + 127) / 128 * 128;
  static constexpr int kBytes = kStage + kOuterWarps * kWarpBytes;
  static_assert(4 * (kRows - 1) * kLocal * 64 * 32 <= 2 * kBuffer, "the rows' sums meet there");
  static_assert(kRings % 16 == 0 && kShareBytes % 16 == 0);
};

// Rows are brought to a root mean square of 2^-3, so that the product of two coherent spectra
// (sqrt(M) rms each) stays inside fp16.
inline constexpr float kCorrelateLevel = 0.125F;

/// Two products w conj(v). fp16 tensors promise half the error of bf16 ones: theirs are not
/// rounded.
struct Products {
  float2 re;
  float2 im;
};
template <class T>
__device__ inline Products products(Word w_re, Word w_im, Word v_re, Word v_im) {
  if constexpr (std::is_same_v<T, __half>) {
    const float2 a = __half22float2(as_half2(w_re));
    const float2 b = __half22float2(as_half2(w_im));
    const float2 c = __half22float2(as_half2(v_re));
    const float2 d = __half22float2(as_half2(v_im));
    return {{fmaf(a.x, c.x, b.x * d.x), fmaf(a.y, c.y, b.y * d.y)},
            {fmaf(b.x, c.x, -a.x * d.x), fmaf(b.y, c.y, -a.y * d.y)}};
  } else {
    twist<true>(w_re, w_im, v_re, v_im);
    return {__half22float2(as_half2(w_re)), __half22float2(as_half2(w_im))};
  }
}

/// Powers of two that a row was divided by, for its results.
struct RowUnscale {
  float of[2];  // v, w
};

template <class T, int R, bool kGated, Access kAccess, bool kPlain>
__global__ void __launch_bounds__(BackwardShape<T, R, kGated, kPlain>::kThreads, 1)
    ring_backward_kernel(const BackwardArgs<T> args) {
  using Here = BackwardShape<T, R, kGated, kPlain>;
  using Shape = typename Here::Shape;
  constexpr int kBlocks = Here::kBlocks;
  constexpr int kLocal = Here::kLocal;
  constexpr int kRows = Here::kRows;
  constexpr int kRingWarps = Here::kRingWarps;
  constexpr int kOuterWarps = Here::kOuterWarps;
  constexpr bool kCluster = kBlocks > 1;
  constexpr int kScales = 4;  // more than turns in flight
  extern __shared__ __align__(128) unsigned char memory[];
  constexpr int kParts = kBlocks * Here::kTeamWarps;  // of a row's energy
  __shared__ __align__(8) std::uint64_t barriers[10];
  __shared__ __align__(8) float2 energies[2][2][kParts];  // [signal][turn % 2], .x
  __shared__ RowUnscale unscales[kScales][kRows];

  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  const int warp = thread / 32;
  const int rank = cluster_rank<kBlocks>();
  const int length = args.dv.length;
  const std::int64_t h = blockIdx.x / kBlocks;
  const int split = static_cast<int>(blockIdx.y);
  const std::int64_t first = args.dv.batch * split / args.out.splits;
  const std::int64_t last = args.dv.batch * (split + 1) / args.out.splits;
  const int turns = static_cast<int>((last - first + kRows - 1) / kRows);
  const bool wants_dv = args.dv.out[0] != nullptr;
  const bool wants_dgate = args.dgate.out[0] != nullptr;

  const std::uint32_t at = shared_address(barriers);
  // Signals v and w have a buffer each, or in a cluster take turns in one.
  const SharedBarrier full[2] = {{at}, {at + 8}};
  const SharedBarrier empty[2] = {{at + 16}, {at + 24}};
  const SharedBarrier full_z{at + 32};
  const SharedBarrier empty_z{at + 40};
  const auto sums = [&](int signal, int turn) {
    return SharedBarrier{at + 48 + 16 * signal + 8 * (turn & 1)};
  };
  if (thread == 0) {
    for (int i = 0; i < 2; ++i) {
      full[i].init(Here::kTeamWarps);
      empty[i].init(kRingWarps * kBlocks);
      for (int signal = 0; signal < 2; ++signal) {
        sums(signal, i).init(kCluster ? 1 : Here::kTeamWarps);
      }
    }
    full_z.init(kCluster ? 1 : kRingWarps);
    empty_z.init(kOuterWarps * kBlocks);
  }
  typename Here::Transform transform;
  transform.make(reinterpret_cast<uint4*>(memory), 8 * rank, thread, Here::kThreads);
  typename Here::Outer outer;
  outer.make(reinterpret_cast<Word*>(memory + Here::kOuter), thread, Here::kThreads);
  cluster_sync<kBlocks>();
  const std::uint32_t buffers[2] = {shared_address(memory + Here::kRings),
                                    shared_address(memory + Here::kRings + Here::kBuffer)};
  const std::uint32_t results = shared_address(memory + Here::kRings + 2 * Here::kBuffer);

  if (warp < kRingWarps) {
    take_registers<Here::kRingRegisters>();
    const int row = warp / kLocal;
    const int local = warp % kLocal;
    const int k1 = 8 * rank + local;
    transform.take(k1);
    float sum_re[16][2] = {};  // [spectrum word][low, high]
    float sum_im[16][2] = {};
    const uint4* const spectrum = args.spectrum + (h * R + k1) * 256 + lane;
    const auto take = [&](int signal, int turn, RingSpectrum& z) {
      RingTime x;
      if constexpr (kCluster) {
        full[0].wait(2 * turn + signal);
      } else {
        full[signal].wait(turn);
      }
      std::uint32_t rings[kBlocks];
#pragma unroll
      for (int i = 0; i < kBlocks; ++i) {
        // The block's own share stays where it was made.
        rings[i] = buffers[!kCluster   ? signal
                           : i == rank ? 0
                                       : 1] +
                   row * 4 * Here::kRowWords + i * Here::kShareBytes;
      }
      load_ring<R, kBlocks>(rings, local, lane, x);
      if (!(Here::kStashes && wants_dgate && signal == 0)) {
        empty[signal].template arrive<kBlocks>(lane);
      }
      transform.forward(local, x, z);
    };
    // Lanes find again what they have put down themselves.
    const std::uint32_t stash =
        buffers[0] + row * 4 * Here::kRowWords + 4 * local * Shape::kRing + 16 * lane;
    int turn_z = 0;
    const auto give = [&](RingSpectrum& z, Word flip) {
      RingTime x;
      multiply_spectrum(spectrum, flip, z);
      transform.inverse(local, z, x);
      empty_z.wait(turn_z - 1);
      const std::uint32_t rings = results + row * 4 * Here::kRowWords;
      if constexpr (kCluster) {
        store_ring<R, kBlocks>(rings, k1, lane, x,
                               [&](int block, std::uint32_t to, const uint4& v) {
                                 send(peer_address<kBlocks>(to, block), v,
                                      peer_address<kBlocks>(full_z.address, block));
                               });
      } else {
        store_ring<R, 1>(rings, k1, lane, x, StoreHere{});
        full_z.template arrive<1>(lane);
      }
      ++turn_z;
    };
#pragma unroll 1
    for (int turn = 0; turn < turns; ++turn) {
      RingSpectrum v;
      RingSpectrum w;
      if constexpr (Here::kStashes) {
        take(1, turn, w);
        take(0, turn, v);
      } else {
        take(0, turn, v);
        take(1, turn, w);
      }
      const RowUnscale scales = unscales[turn % kScales][row];
      const bool there = first + static_cast<std::int64_t>(turn) * kRows + row < last;
      const float unscale = there ? scales.of[0] * scales.of[1] : 0.0F;
#pragma unroll
      for (int i = 0; i < 16; ++i) {
        const Products p = products<T>((&w.re[0][0][0][0])[i], (&w.im[0][0][0][0])[i],
                                       (&v.re[0][0][0][0])[i], (&v.im[0][0][0][0])[i]);
        sum_re[i][0] = fmaf(p.re.x, unscale, sum_re[i][0]);
        sum_re[i][1] = fmaf(p.re.y, unscale, sum_re[i][1]);
        sum_im[i][0] = fmaf(p.im.x, unscale, sum_im[i][0]);
        sum_im[i][1] = fmaf(p.im.y, unscale, sum_im[i][1]);
      }
      const auto each_vector = [&](const auto& use) {
        Word* const words = &v.re[0][0][0][0];  // and those of im
#pragma unroll
        for (int i = 0; i < 8; ++i) use(stash + 512 * i, words + 4 * i);
      };
      if constexpr (Here::kStashes) {
        if (wants_dgate) {
          each_vector([](std::uint32_t to, const Word* x) {
            store_vector(to, make_uint4(x[0], x[1], x[2], x[3]));
          });
        }
      }
      if (wants_dv) give(w, 0x80008000U);
      if constexpr (!kPlain) {
        if (wants_dgate) {
          if constexpr (Here::kStashes) {
            each_vector([](std::uint32_t from, Word* x) {
              const uint4 y = load_vector(from);
              x[0] = y.x, x[1] = y.y, x[2] = y.z, x[3] = y.w;
            });
            empty[0].template arrive<kBlocks>(lane);
          }
          give(v, 0U);
        }
      }
    }

    if constexpr (kRows > 1) {
      // The rows' sums, in order, where the rings were.
      float* const meet = reinterpret_cast<float*>(memory + Here::kRings);
      group_barrier<kRingWarps>(1);
      if (row > 0) {
        float* const mine = meet + ((row - 1) * kLocal + local) * 64 * 32 + lane;
#pragma unroll
        for (int i = 0; i < 16; ++i) {
#pragma unroll
          for (int p = 0; p < 2; ++p) {
            mine[(4 * i + 2 * p) * 32] = sum_re[i][p];
            mine[(4 * i + 2 * p + 1) * 32] = sum_im[i][p];
          }
        }
      }
      group_barrier<kRingWarps>(1);
      if (row == 0) {
        for (int other = 0; other < kRows - 1; ++other) {
          const float* const its = meet + (other * kLocal + local) * 64 * 32 + lane;
#pragma unroll
          for (int i = 0; i < 16; ++i) {
#pragma unroll
            for (int p = 0; p < 2; ++p) {
              sum_re[i][p] += its[(4 * i + 2 * p) * 32];
              sum_im[i][p] += its[(4 * i + 2 * p + 1) * 32];
            }
          }
        }
      }
    }
    if (row == 0) {
      float2* const out =
          args.out.spectrum + ((split * args.out.rows + h) * R + k1) * plan::kRing + lane;
#pragma unroll
      for (int i = 0; i < 16; ++i) {  // word i = 2 vector + rh
        out[(2 * i) * 32] = make_float2(sum_re[i][0], sum_im[i][0]);
        out[(2 * i + 1) * 32] = make_float2(sum_re[i][1], sum_im[i][1]);
      }
    }
  } else {
    leave_registers<Here::kOuterRegisters>();
    constexpr int kRowWarps = Here::kRowWarps;
    constexpr int kRowsPerWarp = Here::kRowsPerWarp;
    constexpr int kTasks = Here::kTasks;
    constexpr int kTeamWarps = Here::kTeamWarps;
    const int outer_warp = warp - kRingWarps;
    const int team = outer_warp / kTeamWarps;
    const int team_warp = outer_warp % kTeamWarps;
    const int member = team_warp % kRowWarps;
    const int first_row = team_warp / kRowWarps * kRowsPerWarp;
    const int first_task = rank * (Shape::kTasks / kBlocks) + member;
    const float filter_unscale = args.unscale[h];
    const float skip = kPlain ? 0.0F : skip_of(args.dv, static_cast<int>(h));
    const bool speaks = team_warp == 0 && lane == 0;

    // What follows from a lane's place is worked out where it is used if registers are few.
    using Stage = typename Here::template StageOf<kAccess>;
    const auto make_stage = [&](int of_lane) {
      return Stage(reinterpret_cast<uint4*>(memory + Here::kStage + outer_warp * Here::kWarpBytes),
                   first_task, of_lane);
    };
    const auto make_in_row = [&](int of_lane) {
      return MatrixRow<R, kBlocks>::forward(buffers[0] + first_row * 4 * Here::kRowWords, member,
                                            of_lane);
    };
    const Stage kept_stage = make_stage(lane);
    const auto kept_in_row = make_in_row(lane);
    const auto stage_now = [&] {
      if constexpr (kPlain) return kept_stage;
      return make_stage(renewed(lane));
    };
    const auto row_of = [&](int turn, int r) {
      return first + static_cast<std::int64_t>(turn) * kRows + first_row + r;
    };
    // Signals are 0, v, and 1, w. A row too many counts for nothing.
    const auto input = [&](int signal) { return signal == 0 ? args.dgate.in : args.dv.in; };
    const auto offset = [&](int turn, int r, std::int64_t stride) {
      return min(row_of(turn, r), last - 1) * stride + h * length;
    };
    const auto gate_of = [&](int signal, int turn, int r) -> const T* {
      const Signal<T> in = input(signal);
      return !kGated || in.b == nullptr ? nullptr : in.b + offset(turn, r, in.b_stride);
    };
    const auto slot_of = [&](int signal, int r) {
      return Here::kSlots == kRowsPerWarp ? r : r + kRowsPerWarp * signal;
    };
    const auto start = [&](int signal, int turn) {
#pragma unroll
      for (int r = 0; r < kRowsPerWarp; ++r) {
        Stage stage = stage_now();
        stage.piece = renewed(stage.piece);
        const Signal<T> in = input(signal);
        stage.start(slot_of(signal, r), in.a + offset(turn, r, in.a_stride),
                    gate_of(signal, turn, r), length);
      }
    };

    // The energies of this warp's rows, times the squares of `pre`, from all that share them; true
    // if a row of the block has left the range of its sum, which all blocks see alike.
    int turns_sums[2] = {};
    const auto measure = [&](bool quick, int signal, int turn, float(&energy)[kRowsPerWarp],
                             const float(&pre)[kRowsPerWarp], const typename Stage::Gates& gates) {
      const Stage stage = stage_now();
#pragma unroll
      for (int r = 0; r < kRowsPerWarp; ++r) {
        float own = 0.0F;
#pragma unroll
        for (int i = 0; i < kTasks; ++i) {
          own += stage.sum_of_squares(quick, slot_of(signal, r), i, gates, pre[r]);
          fence();
        }
        energy[r] = warp_sum(own);
      }
      bool leaves = false;
      if constexpr (Here::kExchanges) {
        const int turn_sums = turns_sums[Here::kTeams == 2 ? 0 : signal]++;
        const SharedBarrier barrier = sums(signal, turn_sums);
        float2* const parts = energies[0][0] + (2 * signal + (turn_sums & 1)) * kParts;
        float2* const mine = parts + rank * kTeamWarps + team_warp;
        const float2 own = make_float2(energy[0], 0.0F);
        if constexpr (kCluster) {
          if (speaks) barrier.expect(kParts * static_cast<int>(sizeof(float2)));
          if (lane < kBlocks) {
            send(peer_address<kBlocks>(shared_address(mine), lane), own,
                 peer_address<kBlocks>(barrier.address, lane));
          }
        } else {
          if (lane == 0) *mine = own;
          barrier.template arrive<1>(lane);
        }
        barrier.wait(turn_sums / 2);
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          float total = 0.0F;
#pragma unroll
          for (int i = 0; i < kBlocks; ++i) {
#pragma unroll
            for (int m = 0; m < kRowWarps; ++m) {
              total += parts[i * kTeamWarps + r * kRowWarps + m].x;
            }
          }
          leaves |= pre_scale(total) != 1.0F;
          if (r == first_row) energy[0] = total;
        }
      } else {
#pragma unroll
        for (const float e : energy) leaves |= pre_scale(e) != 1.0F;
      }
      return leaves;
    };

    // What this warp has made of its task i for another block: four rows of 128 bytes at once, of
    // (ring, part) by the lane's upper bits.
    const std::uint32_t lane_at =
        4 * ((lane >> 4) * Shape::kRing + ((lane >> 3) & 1) * Shape::kPlane + 32 * member) +
        16 * (lane & 7);
    const auto send_rows = [&](int block, int i) {
      const std::uint32_t here = static_cast<std::uint32_t>(renewed(static_cast<int>(lane_at)));
      const std::uint32_t from = buffers[0] + block * Here::kShareBytes + here;
      const std::uint32_t to =
          peer_address<kBlocks>(buffers[1] + rank * Here::kShareBytes + here, block);
      const std::uint32_t barrier = peer_address<kBlocks>(full[0].address, block);
#pragma unroll
      for (int k1 = 0; k1 < kLocal; k1 += 2) {
        const int at_row = 4 * (k1 * Shape::kRing + 32 * i * kRowWarps);
        send(to + at_row, load_vector(from + at_row), barrier);
      }
    };
    // A signal of this turn through the outer stage, and on to the ring warps.
    const auto bring_in = [&](int signal, int turn) {
      typename Stage::Gates gates;
      gates.load(stage_now(), gate_of(signal, turn, 0), length);
      Stage::template wait<kPlain ? 0 : 1>();
      float energy[kRowsPerWarp];
      float pre[kRowsPerWarp];
      float scale[kRowsPerWarp];
#pragma unroll
      for (float& p : pre) p = 1.0F;
      if (measure(true, signal, turn, energy, pre, gates)) {
#pragma unroll
        for (int r = 0; r < kRowsPerWarp; ++r) pre[r] = pre_scale(energy[r]);
        measure(false, signal, turn, energy, pre, gates);
      }
#pragma unroll
      for (int r = 0; r < kRowsPerWarp; ++r) {
        const RowScale row = row_scale(energy[r], Shape::kPoints, pre[r]);
        scale[r] = row.scale * kCorrelateLevel;
        if (member == 0 && lane == 0) {
          unscales[turn % kScales][first_row + r].of[signal] = row.unscale / kCorrelateLevel;
        }
      }
      const Stage stage = stage_now();
      const auto in_row = kPlain ? kept_in_row : make_in_row(renewed(lane));
#pragma unroll
      for (int r = 0; r < kRowsPerWarp; ++r) {
#pragma unroll
        for (int i = 0; i < kTasks; ++i) {
          Word columns[8][Shape::kVectors / 2];
          stage.scaled(slot_of(signal, r), i, gates, scale[r], columns);
          if (r == 0 && i == 0) {
            if constexpr (kCluster) {  // the signal before, in the one buffer
              empty[1 - signal].wait(signal == 0 ? turn - 1 : turn);
            } else {
              empty[signal].wait(turn - 1);
            }
          }
          auto row = in_row.on(i * kRowWarps);
          row.swizzle = renewed(row.swizzle);
          row.address += r * 4 * Here::kRowWords + (kCluster ? 0 : signal * Here::kBuffer);
          // The other blocks' rings first, and off to them.
#pragma unroll
          for (int away = 1; away <= kBlocks; ++away) {
            const int block = (rank + away) % kBlocks;
            outer_forward(columns, outer, row, block, lane);
            fence();
            if (away < kBlocks) send_rows(block, i);
          }
        }
      }
      if constexpr (kCluster) {
        if (speaks) {
          full[0].expect((kBlocks - 1) * kLocal * 2 * 128 * Shape::kRows);
        } else if (lane == 0) {
          full[0].arrive_alone();
        }
      } else {
        full[signal].template arrive<1>(lane);
      }
    };

    // A result of a turn from the ring warps, and out, in units of kCount vectors a lane.
    constexpr int kStride = Here::kTeams == 2 && kTasks > 1 ? 2 : 1;
    constexpr int kCount = Here::kCount;
    constexpr int kUnitParts = Here::kShare / kCount;
    constexpr int kRowUnits = kTasks / kStride * kUnitParts;
    constexpr int kUnits = kRowsPerWarp * kRowUnits;
    const int team_task = kStride == 2 ? team * kRowWarps : 0;
    const auto task_of = [&](int unit) { return unit / kUnitParts % (kTasks / kStride) * kStride; };
    const auto first_vector = [&](int unit) {
      return (Here::kHalves ? Here::kShare * team : 0) + unit % kUnitParts * kCount;
    };
    const auto outputs = [&](int result, int turn, int unit) {
      const ApplyArgs<T> call = result == 0 ? args.dgate : args.dv;
      const int r = unit / kRowUnits;
      return RowOutputs<T>(call, static_cast<int>(h),
                           static_cast<int>(min(row_of(turn, r), last - 1)), skip,
                           unscales[turn % kScales][first_row + r].of[result] * filter_unscale);
    };
    const auto place = [&](int unit) {
      const auto task = TaskPlace<R>(first_task + team_task, renewed(lane));
      TaskPlace<R> there = task.on(task_of(unit) * kRowWarps);
      there.first = there.element(first_vector(unit));
      return there;
    };
    const auto value_of = [&](int unit, float(&value)[kCount][8]) {
      const int here = renewed(lane);
      const auto row = MatrixRow<R, kBlocks>::inverse(
          results + (first_row + unit / kRowUnits) * 4 * Here::kRowWords, member + team_task, here);
      outer_inverse(outer, row.on(task_of(unit) * kRowWarps), first_vector(unit), here, value);
    };
    int turn_z = 0;
    const auto wait_for_result = [&] {
      if (kCluster && outer_warp == 0 && lane == 0) full_z.expect(Shape::kRows * R * 2 * 32 * 4);
      full_z.wait(turn_z);
    };
    const auto done_with_result = [&] {
      empty_z.template arrive<kBlocks>(lane);
      ++turn_z;
    };

    if constexpr (kPlain) {
      const auto take_out = [&](int turn) {
        if (turn < 0 || !wants_dv) return;
        wait_for_result();
        const auto rows = MatrixRow<R, kBlocks>::inverse(results + first_row * 4 * Here::kRowWords,
                                                         member + team_task, renewed(lane));
        const TaskPlace<R> first_place(first_task + team_task, renewed(lane));
#pragma unroll
        for (int r = 0; r < kRowsPerWarp; ++r) {
          if (row_of(turn, r) >= last) continue;
          const RowOutputs<T> out = outputs(1, turn, r * kRowUnits);
#pragma unroll
          for (int unit = 0; unit < kRowUnits; ++unit) {
            auto row = rows.on(task_of(unit) * kRowWarps);
            row.swizzle = renewed(row.swizzle);
            row.address += r * 4 * Here::kRowWords;
            float value[kCount][8];
            outer_inverse(outer, row, first_vector(unit), lane, value);
            TaskPlace<R> place = first_place.on(task_of(unit) * kRowWarps);
            place.first = renewed(place.element(first_vector(unit)));
            write_plain<kAccess>(out, place, length, value);
            fence();
          }
        }
        done_with_result();
      };
      const auto bring_in_and_on = [&](int signal, int turn) {
        if (turn >= turns) return;
        bring_in(signal, turn);
        if (turn + 1 < turns) start(signal, turn + 1);
      };
      for (int signal = 0; signal < 2; ++signal) {
        if ((Here::kTeams == 1 || team == signal) && turns > 0) start(signal, 0);
      }
#pragma unroll 1
      for (int turn = 0; turn <= turns; ++turn) {
        if constexpr (Here::kTeams == 2) {
          bring_in_and_on(team, turn);
        } else {
          bring_in_and_on(0, turn);
          bring_in_and_on(1, turn);
        }
        take_out(turn - 1);
      }
    } else {
      // One copy of either piece of code, as they are long, and loops rolled up, as registers are
      // few. Copies go in groups, one in a step that brings in, one a unit and at least one in a
      // step that takes out: whoever waits knows how many may still be under way.
      const typename Here::template OutputStageOf<kAccess> output_stage{
          reinterpret_cast<uint4*>(memory + Here::kStage + outer_warp * Here::kWarpBytes +
                                   Here::kRowBytes) +
          lane};
      const auto wanted = [&](int result) { return result == 0 ? wants_dgate : wants_dv; };
      const auto start_unit = [&](int result, int turn, int unit) {
        if (turn < turns) output_stage.start(outputs(result, turn, unit), place(unit), length);
        copies_commit();
      };
      const auto take_out = [&](int result, int turn) {
        if (turn < 0 || !wanted(result)) return copies_commit();
        wait_for_result();
        const int next = wanted(1 - result) ? 1 - result : result;
#pragma unroll 1
        for (int unit = 0; unit < kUnits; ++unit) {
          float value[kCount][8];
          value_of(unit, value);
          unit == 0 ? copies_wait<1>() : copies_wait<0>();
          const auto inputs = output_stage.take();
          if (unit + 1 < kUnits) {
            start_unit(result, turn, unit + 1);
          } else {
            start_unit(next, turn + (next >= result ? 1 : 0), 0);
          }
          if (row_of(turn, unit / kRowUnits) >= last) continue;
          const RowOutputs<T> out = outputs(result, turn, unit);
#pragma unroll
          for (int v = 0; v < kCount; ++v) {
#pragma unroll
            for (int j = 0; j < 8; ++j) value[v][j] *= out.unscale;
            inputs.write(v, out, place(unit).element(v), length, value[v]);
          }
        }
        done_with_result();
      };
      // dv comes first. The second signal's place is free only when dv has been made, in a cluster
      // w's and else v's: the ring warps must not wait for room for dg_out then.
      constexpr int kFirst = Here::kStashes ? 1 : 0;
      if (turns > 0) start(kFirst, 0);
      copies_commit();
      start_unit(wants_dv ? 1 : 0, 0, 0);
#pragma unroll 1
      for (int step = 0; step < 4 * (turns + 1); ++step) {
        const int turn = step / 4;
        const int half = step / 2 % 2;
        if (step % 2 == 0) {
          const int signal = half == 0 ? kFirst : 1 - kFirst;
          if (turn < turns) bring_in(signal, turn);
          if (turn + half < turns) start(1 - signal, turn + half);
          copies_commit();
        } else {
          take_out(1 - half, turn - 1);
        }
      }
    }
  }
  cluster_sync<kBlocks>();  // nobody leaves while others may still send to it
}

template <class T, int R, bool kGated, Access kAccess, bool kPlain = false>
void launch_ring_backward(const BackwardArgs<T>& args, cudaStream_t stream) {
  using Here = BackwardShape<T, R, kGated, kPlain>;
  const auto kernel = ring_backward_kernel<T, R, kGated, kAccess, kPlain>;
  static_assert(Here::kBytes <= kMostSharedBytes);
  LONGCONV_CUDA_CHECK(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Here::kBytes));
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(args.dv.channels * Here::kBlocks),
                        static_cast<unsigned>(args.out.splits));
  config.blockDim = dim3(Here::kThreads);
  config.dynamicSmemBytes = Here::kBytes;
  config.stream = stream;
  cudaLaunchAttribute cluster = {};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim = {Here::kBlocks, 1, 1};
  if constexpr (Here::kBlocks > 1) {
    config.attrs = &cluster;
    config.numAttrs = 1;
  }
  LONGCONV_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, args));
}

/// Instantiated where apply_ring is.
template <class T, int R>
void backward_ring(const BackwardArgs<T>& args, cudaStream_t stream) {
  const bool gated = args.dv.in.b != nullptr || args.dgate.in.b != nullptr;
  const bool whole = args.dv.length == RingShape<R>::kPoints;
  if (!args.dv.by_vectors() || !args.dgate.by_vectors()) {
    gated ? launch_ring_backward<T, R, true, Access::scalar>(args, stream)
          : launch_ring_backward<T, R, false, Access::scalar>(args, stream);
  } else if (gated) {
    whole ? launch_ring_backward<T, R, true, Access::whole>(args, stream)
          : launch_ring_backward<T, R, true, Access::vectors>(args, stream);
  } else if (whole && args.dv.is_plain() && args.dgate.is_plain()) {
    launch_ring_backward<T, R, false, Access::whole, true>(args, stream);
  } else {
    launch_ring_backward<T, R, false, Access::vectors>(args, stream);
  }
}

}  // namespace longconv::kernels::cuda
