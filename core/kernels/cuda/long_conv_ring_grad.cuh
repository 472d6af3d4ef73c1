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
// In a cluster each block's outer warps own a share of the columns. They leave them in the first
// buffer, where the block's own rings stay, and send the rest to the other blocks' second buffers,
// v and then w; results come back in the same way. Asynchronous stores do that, whose bytes the
// receiver's barrier counts: loads from another block's memory would make the ring warps wait.
#pragma once

#include "core/kernels/cuda/long_conv_ring_filter.h"
#include "core/kernels/cuda/ring_launch.h"
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
  static constexpr int kTeams = kPlain && R <= 16 ? 1 : 2;  // measured: docs/kernels.md
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
  static constexpr bool kExchanges = kRowWarps * kBlocks > 1;  // a row's energy is several warps'
  using Transform = RingTransform<R, kLocal, true>;
  using Outer = OuterMatrices<R>;
  template <Access kAccess>
  using StageOf = RowStage<T, R, kGated, kGated && R <= 4, kAccess, kTasks, kRowWarps>;
  static constexpr int kSlots = kRowsPerWarp * (3 - kTeams);  // rows on their way, of a warp
  static constexpr int kWarpBytes = 16 * kSlots * StageOf<Access::whole>::kSlotVectors;
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
      empty[signal].template arrive<kBlocks>(lane);
      transform.forward(local, x, z);
    };
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
      take(0, turn, v);
      take(1, turn, w);
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
      if (wants_dv) give(w, 0x80008000U);
      if constexpr (!kPlain) {
        if (wants_dgate) give(v, 0U);
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
          args.out.spectrum + ((split * args.dv.channels + h) * R + k1) * plan::kRing + lane;
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
    const bool speaks = team_warp == 0 && lane == 0;

    using Stage = typename Here::template StageOf<kAccess>;
    const Stage stage(
        reinterpret_cast<uint4*>(memory + Here::kStage + outer_warp * Here::kWarpBytes), first_task,
        lane);
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
      return Here::kTeams == 2 ? r : r + kRowsPerWarp * signal;
    };
    const auto start = [&](int signal, int turn) {
#pragma unroll
      for (int r = 0; r < kRowsPerWarp; ++r) {
        const Signal<T> in = input(signal);
        Stage now = stage;
        now.piece = renewed(now.piece);
        now.start(slot_of(signal, r), in.a + offset(turn, r, in.a_stride), gate_of(signal, turn, r),
                  length);
      }
    };

    // The energies of this warp's rows, times the squares of `pre`, from all that share them; true
    // if a row of the block has left the range of its sum, which all blocks see alike.
    int turns_sums[2] = {};
    const auto measure = [&](int signal, int turn, float(&energy)[kRowsPerWarp],
                             const float(&pre)[kRowsPerWarp]) {
#pragma unroll
      for (int r = 0; r < kRowsPerWarp; ++r) {
        const T* const gate = gate_of(signal, turn, r);
        float own = 0.0F;
#pragma unroll
        for (int i = 0; i < kTasks; ++i) {
          own += stage.sum_of_squares(slot_of(signal, r), i, gate, length, pre[r]);
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

    // A signal of this turn through the outer stage, and on to the ring warps.
    const auto in_row =
        MatrixRow<R, kBlocks>::forward(buffers[0] + first_row * 4 * Here::kRowWords, member, lane);
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
    const auto bring_in = [&](int signal, int turn) {
      Stage::wait();
      float energy[kRowsPerWarp];
      float pre[kRowsPerWarp];
      float scale[kRowsPerWarp];
#pragma unroll
      for (float& p : pre) p = 1.0F;
      if (measure(signal, turn, energy, pre)) {
#pragma unroll
        for (int r = 0; r < kRowsPerWarp; ++r) pre[r] = pre_scale(energy[r]);
        measure(signal, turn, energy, pre);
      }
#pragma unroll
      for (int r = 0; r < kRowsPerWarp; ++r) {
        const RowScale row = row_scale(energy[r], Shape::kPoints, pre[r]);
        scale[r] = row.scale * kCorrelateLevel;
        if (member == 0 && lane == 0) {
          unscales[turn % kScales][first_row + r].of[signal] = row.unscale / kCorrelateLevel;
        }
      }
#pragma unroll
      for (int r = 0; r < kRowsPerWarp; ++r) {
        const T* const gate = gate_of(signal, turn, r);
#pragma unroll
        for (int i = 0; i < kTasks; ++i) {
          Word columns[8][Shape::kVectors / 2];
          stage.scaled(slot_of(signal, r), i, gate, length, scale[r], columns);
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
      if (turn + 1 < turns) start(signal, turn + 1);
    };

    // A result of this turn from the ring warps, and out; w's, dv, comes first. Two teams halve a
    // warp's tasks, or the vectors of its one task.
    constexpr bool kHalves = Here::kTeams == 2 && kTasks == 1;
    constexpr int kStride = Here::kTeams == 2 && kTasks > 1 ? 2 : 1;
    constexpr int kShare = Shape::kVectors / (kHalves ? 2 : 1);  // vectors of a task
    // At once: gates want registers.
    constexpr int kMost = kPlain ? 4 : 2;
    constexpr int kCount = kShare < kMost ? kShare : kMost;
    const int out_first = kHalves ? kShare * team : 0;
    const int team_task = kStride == 2 ? team * kRowWarps : 0;
    int turn_z = 0;
    const auto out_row = MatrixRow<R, kBlocks>::inverse(results + first_row * 4 * Here::kRowWords,
                                                        member + team_task, lane);
    const TaskPlace<R> out_place(first_task + team_task, lane);
    const auto take_out = [&](int result, int turn) {
      const ApplyArgs<T>& call = result == 0 ? args.dgate : args.dv;
      if (turn < 0 || call.out[0] == nullptr) return;
      if (kCluster && outer_warp == 0 && lane == 0) full_z.expect(Shape::kRows * R * 2 * 32 * 4);
      full_z.wait(turn_z);
#pragma unroll
      for (int r = 0; r < kRowsPerWarp; ++r) {
        const std::int64_t b = row_of(turn, r);
        if (b >= last) continue;
        const RowOutputs<T> out(
            call, static_cast<int>(h), static_cast<int>(b),
            unscales[turn % kScales][first_row + r].of[result] * filter_unscale);
#pragma unroll
        for (int i = 0; i < kTasks; i += kStride) {
          auto row = out_row.on(i * kRowWarps);
          row.swizzle = renewed(row.swizzle);
          row.address += r * 4 * Here::kRowWords;
#pragma unroll
          for (int v = 0; v < kShare; v += kCount) {
            auto place = out_place.on(i * kRowWarps);
            place.first = renewed(place.first);
            write_vectors<kAccess, kPlain, Here::kTeams == 2 ? 1 : 2, kCount>(
                outer, row, out_first + v, lane, place, length, out);
            fence();
          }
        }
      }
      empty_z.template arrive<kBlocks>(lane);
      ++turn_z;
    };

    const auto mine = [&](int signal) { return Here::kTeams == 1 || team == signal; };
    for (int signal = 0; signal < 2; ++signal) {
      if (mine(signal) && turns > 0) start(signal, 0);
    }
#pragma unroll 1
    for (int turn = 0; turn <= turns; ++turn) {
      if constexpr (Here::kTeams == 2) {
        // In a cluster w's buffer is free only when the ring warps have come to this turn: they
        // must not wait for room for the last turn's second result then.
        const bool last_first = kCluster && !kPlain && team == 1;
        if (!last_first && turn < turns) bring_in(team, turn);
        take_out(1, turn - 1);
        if constexpr (kCluster && !kPlain) {
          if (last_first && turn < turns) bring_in(team, turn);
        }
      } else {
        if (turn < turns) bring_in(0, turn);
        if constexpr (kCluster && !kPlain) take_out(1, turn - 1);  // for the same reason
        if (turn < turns) bring_in(1, turn);
        if constexpr (!kCluster || kPlain) take_out(1, turn - 1);
      }
      if constexpr (!kPlain) take_out(0, turn - 1);
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
  if (!args.dv.by_vectors() || !args.dgate.by_vectors()) {
    gated ? launch_ring_backward<T, R, true, Access::scalar>(args, stream)
          : launch_ring_backward<T, R, false, Access::scalar>(args, stream);
  } else if (!gated && args.dv.is_plain() && args.dgate.is_plain() &&
             args.dv.length == RingShape<R>::kPoints) {
    launch_ring_backward<T, R, false, Access::whole, true>(args, stream);
  } else {
    gated ? launch_ring_backward<T, R, true, Access::vectors>(args, stream)
          : launch_ring_backward<T, R, false, Access::vectors>(args, stream);
  }
}

}  // namespace longconv::kernels::cuda
