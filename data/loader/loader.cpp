#include "data/loader/loader.h"

#include "core/base/check.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/Context.h>

#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace longconv::data {

namespace {

/// A batch, or why there is none.
struct Prepared {
  Batch batch;
  std::exception_ptr error;
};

}  // namespace

struct Loader::Impl {
  Impl(std::shared_ptr<const Dataset> source, LoaderOptions wanted)
      : dataset(std::move(source)), options(wanted), start{options.seed, 0} {}

  /// Samples [first, first + batch_size) of the endless stream: a pure function of (seed, first).
  [[nodiscard]] Batch make(std::uint64_t seed, std::int64_t first) const {
    const std::int64_t n = dataset->size();
    std::vector<std::int64_t> indices(static_cast<std::size_t>(options.batch_size));
    std::vector<std::uint64_t> keys(indices.size());
    for (std::size_t i = 0; i < indices.size(); ++i, ++first) {
      const std::int64_t epoch = first / n;
      const std::int64_t position = first % n;
      indices[i] = options.shuffle ? shuffled_index(seed, epoch, position, n) : position;
      keys[i] = draw_key(seed, epoch, indices[i]);
    }
    Batch batch = dataset->draw(indices, keys);
    if (options.pin_memory && at::hasCUDA()) {
      batch.input = batch.input.pin_memory();
      batch.target = batch.target.pin_memory();
      if (batch.lengths.defined()) batch.lengths = batch.lengths.pin_memory();
      if (batch.types.defined()) batch.types = batch.types.pin_memory();
    }
    return batch;
  }

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      wake_workers.wait(lock, [this] { return stopping || next_to_make < given + depth(); });
      if (stopping) return;
      const std::int64_t number = next_to_make++;
      const std::uint64_t its_generation = generation;
      const Position from = start;
      lock.unlock();

      Prepared prepared;
      try {
        prepared.batch = make(from.seed, from.consumed + number * options.batch_size);
      } catch (...) {
        prepared.error = std::current_exception();
      }

      lock.lock();
      if (its_generation == generation) {  // else seek() has thrown this stream away
        ready.emplace(number, std::move(prepared));
        wake_reader.notify_one();
      }
    }
  }

  /// Batches made ahead: two a worker, so that none waits while the reader takes one.
  [[nodiscard]] std::int64_t depth() const { return 2 * options.workers; }

  std::shared_ptr<const Dataset> dataset;
  LoaderOptions options;

  mutable std::mutex mutex;
  std::condition_variable wake_workers;
  std::condition_variable wake_reader;
  Position start;                // where batch 0 of this generation begins
  std::uint64_t generation = 0;  // counts seeks
  std::int64_t given = 0;        // batches that next() has returned since `start`
  std::int64_t next_to_make = 0;
  std::map<std::int64_t, Prepared> ready;  // by number, so that the order never depends on threads
  bool stopping = false;
  std::vector<std::thread> threads;
};

Loader::Loader(std::shared_ptr<const Dataset> dataset, LoaderOptions options)
    : impl_(std::make_unique<Impl>(std::move(dataset), options)) {
  LONGCONV_CHECK(options.batch_size >= 1 && options.workers >= 0, DataError,
                 "loader: batch_size {} and workers {}, expected at least 1 and 0",
                 options.batch_size, options.workers);
  LONGCONV_CHECK(
      impl_->dataset->size() > 0, DataError,
      "the data set has no window of {} + 1 tokens: use a shorter data.seq_len or more text",
      impl_->dataset->seq_len());
  for (std::int64_t i = 0; i < options.workers; ++i) {
    impl_->threads.emplace_back([impl = impl_.get()] { impl->work(); });
  }
}

Loader::~Loader() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake_workers.notify_all();
  for (std::thread& thread : impl_->threads) thread.join();
}

Batch Loader::next() {
  Impl& loader = *impl_;
  std::unique_lock lock(loader.mutex);
  if (loader.threads.empty()) {
    Batch batch = loader.make(loader.start.seed,
                              loader.start.consumed + loader.given * loader.options.batch_size);
    ++loader.given;
    return batch;
  }
  loader.wake_reader.wait(lock, [&] { return loader.ready.count(loader.given) > 0; });
  const auto found = loader.ready.find(loader.given);
  // An error stays where it is: asking again gives it again, and the position does not move.
  if (found->second.error) std::rethrow_exception(found->second.error);
  Batch batch = std::move(found->second.batch);
  loader.ready.erase(found);
  ++loader.given;
  loader.wake_workers.notify_one();
  return batch;
}

Position Loader::position() const {
  const std::lock_guard lock(impl_->mutex);
  return {impl_->start.seed, impl_->start.consumed + impl_->given * impl_->options.batch_size};
}

void Loader::seek(const Position& position) {
  LONGCONV_CHECK(position.consumed >= 0, DataError, "loader: cannot seek to sample {}",
                 position.consumed);
  Impl& loader = *impl_;
  {
    const std::lock_guard lock(loader.mutex);
    loader.start = position;
    loader.given = 0;
    loader.next_to_make = 0;
    loader.ready.clear();
    ++loader.generation;
  }
  loader.wake_workers.notify_all();
}

}  // namespace longconv::data
