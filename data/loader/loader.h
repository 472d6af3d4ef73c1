// Batches in an order that is a pure function of (seed, epoch, index), from any position, for any
// number of threads and of ranks.
//
// Order: index = P(seed, epoch, position), P a keyed bijection on [0, n) (4-round Feistel on the
// next power of 4 with cycle walking; data.md 4.3), so that no permutation is ever stored. A step
// takes the next positions; each rank takes its equal slice of them, in one or more batches.
// data/loader/order.h has the arithmetic, this the threads.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace longconv::data {

/// One batch; the shapes are those of language-model windows, a labelled data set says its own
/// (data/tasks/samples.h).
struct Batch {
  at::Tensor input;       ///< (B, L) int64
  at::Tensor target;      ///< (B, L) int64, input shifted by one; -100 where nothing is predicted
  at::Tensor lengths{};   ///< (B) int64, of rows before padding; undefined where none is padded
  bool pad_left = false;  ///< padding stands before the rows, where models read it, not behind
  at::Tensor types{};     ///< (B, L) int64, BERT's token types; undefined but for sentence pairs
  at::Tensor segments{};  ///< (B, L) int64, where a row holds several documents: 1 for the first,
                          ///< 2 for the second, ...; 0 for padding. Else undefined
  /// Targets of the whole step, over all its batches on all ranks, divided by those of this batch:
  /// the step's mean loss is the sum of mean / divisor over its batches.
  double divisor = 1.0;
};

/// Items by index; thread-safe for concurrent get().
class Dataset {
 public:
  virtual ~Dataset() = default;
  [[nodiscard]] virtual std::int64_t size() const = 0;
  [[nodiscard]] virtual std::int64_t seq_len() const = 0;
  /// The items at `indices`, in that order. Throws DataError.
  [[nodiscard]] virtual Batch get(std::span<const std::int64_t> indices) const = 0;
  /// The same with what is drawn anew in each epoch: augmentation, random windows. `keys[i]` is a
  /// pure function of (seed, epoch, indices[i]). Data sets that draw nothing give the same as
  /// get().
  [[nodiscard]] virtual Batch draw(std::span<const std::int64_t> indices,
                                   std::span<const std::uint64_t> /*keys*/) const {
    return get(indices);
  }
  /// Tokens of an item before padding: what batches of like length are made by.
  [[nodiscard]] virtual std::int64_t length(std::int64_t /*index*/) const { return seq_len(); }
  /// How many of an item's targets count in a loss.
  [[nodiscard]] virtual std::int64_t targets(std::int64_t /*index*/) const { return seq_len(); }
  /// False where targets() is the same for all items.
  [[nodiscard]] virtual bool targets_vary() const { return false; }
};

/// All of a loader's state: where the next batch starts.
struct Position {
  std::uint64_t seed = 0;
  std::int64_t consumed = 0;  ///< items of all ranks since the run's start, whole steps
  std::int64_t pass = 0;      ///< batches of this rank that the step at `consumed` has given
};

/// A stretch of a run with one data set and one batch size (sequence-length warm-up has several).
struct Stage {
  std::shared_ptr<const Dataset> dataset;
  std::int64_t batch_size = 1;  ///< items of one next() of one rank
  std::int64_t step_size = 1;   ///< items of a step, over all ranks
  std::int64_t steps = 0;       ///< how long it lasts; the last stage has no end
};

struct LoaderOptions {
  std::int64_t batch_size = 1;  ///< where there is one stage: its batch_size, and one batch a step
  std::uint64_t seed = 0;
  bool shuffle = true;
  std::int64_t workers = 1;  ///< prefetching threads; 0 = none. Never changes what comes out
  std::int64_t rank = 0;     ///< this one of `ranks`
  std::int64_t ranks = 1;
  /// Each so many steps' items are put together by length, so that batches need little padding;
  /// 0 = as they come.
  std::int64_t bucket_steps = 0;
  c10::Device device = c10::kCPU;  ///< where the batches are needed
};

/// An endless stream of full batches, epochs following one another.
class Loader {
 public:
  /// Throws DataError if a data set is empty, or a step does not divide into batches and ranks.
  Loader(std::vector<Stage> stages, LoaderOptions options);
  /// One stage without end; a step is one batch of each rank.
  Loader(std::shared_ptr<const Dataset> dataset, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  [[nodiscard]] Batch next();
  [[nodiscard]] Position position() const;    ///< of the batch that next() will return
  [[nodiscard]] std::int64_t passes() const;  ///< batches a step, in the stage of position()
  void seek(const Position& position);        ///< O(1)

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The key of an item in an epoch, for Dataset::draw().
std::uint64_t draw_key(std::uint64_t seed, std::int64_t epoch, std::int64_t index);

/// P: the item at `position` of `epoch` among `n`; a bijection on [0, n) for each (seed, epoch).
std::int64_t shuffled_index(std::uint64_t seed, std::int64_t epoch, std::int64_t position,
                            std::int64_t n);

}  // namespace longconv::data
