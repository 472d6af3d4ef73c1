#include "data/loader/order.h"

#include "core/base/check.h"
#include "data/loader/mix.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace longconv::data {

namespace {

/// Every stage has its own order, also where the number of items stays the same.
std::uint64_t seed_of(std::uint64_t seed, std::size_t stage) {
  return stage == 0 ? seed : mix(mix(seed) ^ mix(~std::uint64_t{stage}));
}

std::int64_t sum_of_targets(const Dataset& dataset, std::span<const std::int64_t> indices) {
  std::int64_t sum = 0;
  for (const std::int64_t index : indices) sum += dataset.targets(index);
  return sum;
}

}  // namespace

Order::Order(std::vector<Stage> stages, const LoaderOptions& options)
    : stages_(std::move(stages)),
      shuffle_(options.shuffle),
      rank_(options.rank),
      ranks_(options.ranks),
      bucket_steps_(options.bucket_steps) {
  LONGCONV_CHECK(!stages_.empty() && ranks_ >= 1 && rank_ >= 0 && rank_ < ranks_, DataError,
                 "loader: {} stages, rank {} of {}: expected some, and a rank below their number",
                 stages_.size(), rank_, ranks_);
  LONGCONV_CHECK(bucket_steps_ >= 0, DataError, "loader: bucket_steps {}, expected at least 0",
                 bucket_steps_);
  std::int64_t start = 0;
  for (const Stage& stage : stages_) {
    LONGCONV_CHECK(stage.batch_size >= 1 && stage.steps >= 0 && stage.step_size >= 1 &&
                       stage.step_size % (stage.batch_size * ranks_) == 0,
                   DataError,
                   "loader: steps of {} items, expected a multiple of {} ranks times batch_size {}",
                   stage.step_size, ranks_, stage.batch_size);
    LONGCONV_CHECK(
        stage.dataset->size() > 0, DataError,
        "the data set has no window of {} + 1 tokens: use a shorter data.seq_len or more text",
        stage.dataset->seq_len());
    starts_.push_back(start);
    start += stage.steps * stage.step_size;
  }
}

Order::Place Order::place(std::int64_t consumed) const {
  // Of several stages that start there, the last: those before it have no steps.
  const auto next = std::upper_bound(starts_.begin(), starts_.end(), consumed);
  const auto stage = static_cast<std::size_t>(next - starts_.begin() - 1);
  return {stage, consumed - starts_[stage]};
}

std::int64_t Order::passes(std::int64_t consumed) const {
  const Stage& stage = stages_[place(consumed).stage];
  return stage.step_size / (stage.batch_size * ranks_);
}

Position Order::after(Position position) const {
  if (++position.pass == passes(position.consumed)) {
    position.consumed += stages_[place(position.consumed).stage].step_size;
    position.pass = 0;
  }
  return position;
}

Order::Item Order::at(std::uint64_t seed, std::size_t stage, std::int64_t item) const {
  const std::int64_t n = stages_[stage].dataset->size();
  const std::int64_t epoch = item / n;
  const std::int64_t position = item % n;
  const std::uint64_t own = seed_of(seed, stage);
  const std::int64_t index = shuffle_ ? shuffled_index(own, epoch, position, n) : position;
  return {index, draw_key(own, epoch, index)};
}

/// Sorts by length what begins at item `first` of the stage and deals it to the steps it lies in.
void Order::sort_part(std::uint64_t seed, const Stage& stage, std::int64_t first,
                      std::span<Item> part) const {
  std::vector<std::int64_t> lengths;
  lengths.reserve(part.size());
  for (const Item& item : part) lengths.push_back(stage.dataset->length(item.index));
  std::vector<std::size_t> by_length(part.size());
  std::iota(by_length.begin(), by_length.end(), std::size_t{0});
  std::stable_sort(by_length.begin(), by_length.end(),
                   [&](std::size_t a, std::size_t b) { return lengths[a] < lengths[b]; });

  // The first and the last step may lie only partly in it, where an epoch ends inside them.
  std::vector<std::pair<std::size_t, std::size_t>> steps;  // first and count in `part`
  for (std::size_t begin = 0; begin < part.size();) {
    const std::int64_t item = first + static_cast<std::int64_t>(begin);
    const auto left = static_cast<std::size_t>(stage.step_size - item % stage.step_size);
    const std::size_t count = std::min(left, part.size() - begin);
    steps.emplace_back(begin, count);
    begin += count;
  }
  const auto turns = static_cast<std::int64_t>(steps.size());
  std::vector<Item> sorted(part.size());
  auto next = by_length.begin();
  for (std::int64_t i = 0; i < turns; ++i) {
    const std::int64_t turn = shuffle_ ? shuffled_index(mix(~seed), first, i, turns) : i;
    const auto [begin, count] = steps[static_cast<std::size_t>(turn)];
    for (std::size_t k = 0; k < count; ++k) sorted[begin + k] = part[*next++];
  }
  std::copy(sorted.begin(), sorted.end(), part.begin());
}

std::shared_ptr<const Order::Pool> Order::pool(std::uint64_t seed, std::size_t stage_number,
                                               std::int64_t number) const {
  {
    const std::lock_guard lock(mutex_);
    if (last_pool_ && last_pool_->seed == seed && last_pool_->stage == stage_number &&
        last_pool_->number == number) {
      return last_pool_;
    }
  }
  const Stage& stage = stages_[stage_number];
  const std::int64_t size = bucket_steps_ * stage.step_size;
  const std::int64_t n = stage.dataset->size();
  const std::int64_t first = number * size;
  auto made = std::make_shared<Pool>(Pool{seed, stage_number, number, {}});
  made->items.reserve(static_cast<std::size_t>(size));
  for (std::int64_t i = 0; i < size; ++i) made->items.push_back(at(seed, stage_number, first + i));
  for (std::int64_t begin = 0; begin < size;) {
    const std::int64_t epoch_left = n - (first + begin) % n;
    const std::int64_t count = std::min(epoch_left, size - begin);
    sort_part(seed_of(seed, stage_number), stage, first + begin,
              std::span(made->items)
                  .subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count)));
    begin += count;
  }
  const std::lock_guard lock(mutex_);
  last_pool_ = made;
  return made;
}

std::vector<Order::Item> Order::range(std::uint64_t seed, std::size_t stage, std::int64_t first,
                                      std::int64_t count) const {
  std::vector<Item> out;
  out.reserve(static_cast<std::size_t>(count));
  if (bucket_steps_ == 0) {
    for (std::int64_t i = 0; i < count; ++i) out.push_back(at(seed, stage, first + i));
    return out;
  }
  const std::int64_t size = bucket_steps_ * stages_[stage].step_size;
  while (count > 0) {
    const std::int64_t within = first % size;
    const std::int64_t here = std::min(count, size - within);
    const auto of_pool = pool(seed, stage, first / size);
    const auto begin = of_pool->items.begin() + within;
    out.insert(out.end(), begin, begin + here);
    first += here;
    count -= here;
  }
  return out;
}

Items Order::items(const Position& position) const {
  const Place where = place(position.consumed);
  const Stage& stage = stages_[where.stage];
  const std::int64_t passes = stage.step_size / (stage.batch_size * ranks_);
  LONGCONV_CHECK(position.pass >= 0 && position.pass < passes, DataError,
                 "loader: batch {} of a step that has {} a rank", position.pass, passes);
  const std::int64_t offset = (rank_ * passes + position.pass) * stage.batch_size;
  const auto fill = [](const std::vector<Item>& from, std::vector<std::int64_t>& indices) {
    for (const Item& item : from) indices.push_back(item.index);
  };

  Items out;
  out.dataset = stage.dataset.get();
  const std::vector<Item> own =
      range(position.seed, where.stage, where.first + offset, stage.batch_size);
  fill(own, out.indices);
  for (const Item& item : own) out.keys.push_back(item.key);
  out.divisor = static_cast<double>(passes * ranks_);
  if (stage.dataset->targets_vary() && out.divisor > 1.0) {
    std::vector<std::int64_t> all;
    fill(range(position.seed, where.stage, where.first, stage.step_size), all);
    const std::int64_t of_own = sum_of_targets(*stage.dataset, out.indices);
    out.divisor =
        static_cast<double>(sum_of_targets(*stage.dataset, all)) / static_cast<double>(of_own);
  }
  return out;
}

}  // namespace longconv::data
