// Which items a batch has: arithmetic on positions, nothing else.
//
// Stage k of a run takes the items [C_k, C_k + steps_k step_size_k) of the run, C_0 = 0. Item i of
// a stage is at position i mod n of its epoch i / n. Batches of like length: the items of a pool
// (bucket_steps steps, cut at the end of an epoch) are sorted by length and dealt to the pool's
// steps, which take their turns by chance; pools are made from positions alone, so that seeking
// needs one pool and no epoch loses or repeats an item.
#pragma once

#include "data/loader/loader.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace longconv::data {

/// The items of one batch, in order.
struct Items {
  const Dataset* dataset = nullptr;
  std::vector<std::int64_t> indices;
  std::vector<std::uint64_t> keys;  ///< draw_key() of each
  double divisor = 1.0;             ///< Batch::divisor
};

/// Thread-safe.
class Order {
 public:
  /// Throws DataError: an empty data set, a step that does not divide into batches and ranks.
  Order(std::vector<Stage> stages, const LoaderOptions& options);
  /// The batch at `position` of options.rank.
  [[nodiscard]] Items items(const Position& position) const;
  [[nodiscard]] Position after(Position position) const;
  /// Batches of one rank in the step at `consumed`.
  [[nodiscard]] std::int64_t passes(std::int64_t consumed) const;

 private:
  struct Place {
    std::size_t stage;
    std::int64_t first;  // item of the stage
  };
  struct Item {
    std::int64_t index;
    std::uint64_t key;
  };
  struct Pool {
    std::uint64_t seed;
    std::size_t stage;
    std::int64_t number;
    std::vector<Item> items;
  };
  [[nodiscard]] Place place(std::int64_t consumed) const;
  [[nodiscard]] Item at(std::uint64_t seed, std::size_t stage, std::int64_t item) const;
  [[nodiscard]] std::shared_ptr<const Pool> pool(std::uint64_t seed, std::size_t stage,
                                                 std::int64_t number) const;
  [[nodiscard]] std::vector<Item> range(std::uint64_t seed, std::size_t stage, std::int64_t first,
                                        std::int64_t count) const;
  void sort_part(std::uint64_t seed, const Stage& stage, std::int64_t first,
                 std::span<Item> part) const;

  std::vector<Stage> stages_;
  std::vector<std::int64_t> starts_;  // C_k
  bool shuffle_;
  std::int64_t rank_;
  std::int64_t ranks_;
  std::int64_t bucket_steps_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Pool> last_pool_;  // neighbouring batches share it
};

}  // namespace longconv::data
