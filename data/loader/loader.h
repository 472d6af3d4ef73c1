// Batches in an order that is a pure function of (seed, epoch, index), from any position.
//
// Order: index = P(seed, epoch, position), P a keyed bijection on [0, n) (4-round Feistel on the
// next power of 4 with cycle walking; data.md 4.3), so that no permutation is ever stored.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>

namespace longconv::data {

/// One batch; CPU tensors, pinned if asked for. The shapes are those of language-model windows; a
/// labelled data set says its own (data/tasks/samples.h).
struct Batch {
  at::Tensor input;      ///< (B, L) int64
  at::Tensor target;     ///< (B, L) int64, input shifted by one
  at::Tensor lengths{};  ///< (B) int64, of rows before padding; undefined where none is padded
  at::Tensor types{};    ///< (B, L) int64, BERT's token types; undefined but for sentence pairs
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
};

/// All of a loader's state: where the next step starts.
struct Position {
  std::uint64_t seed = 0;
  std::int64_t consumed = 0;  ///< samples since the start of epoch 0; epoch = consumed / size
};

struct LoaderOptions {
  std::int64_t batch_size = 1;
  std::uint64_t seed = 0;
  bool shuffle = true;
  std::int64_t workers = 1;  ///< prefetching threads; 0 = none. Never changes what comes out
  bool pin_memory = false;
};

/// An endless stream of batches of exactly batch_size windows, epochs following one another.
class Loader {
 public:
  /// Throws DataError if the data set is empty.
  Loader(std::shared_ptr<const Dataset> dataset, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  [[nodiscard]] Batch next();
  [[nodiscard]] Position position() const;  ///< of the batch that next() will return
  void seek(const Position& position);      ///< O(1)

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
