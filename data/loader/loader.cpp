#include "data/loader/loader.h"

#include "core/base/check.h"
#include "data/loader/device_copy.h"
#include "data/loader/order.h"

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
  OnItsWay sent;
  std::exception_ptr error;
};

std::vector<Stage> one_stage(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options) {
  return {{std::move(dataset), options.batch_size, options.batch_size * options.ranks, 0}};
}

}  // namespace

struct Loader::Impl {
  Impl(std::vector<Stage> stages, const LoaderOptions& wanted)
      : options(wanted),
        order(std::move(stages), wanted),
        copy(wanted.device),
        at{wanted.seed, 0, 0},
        next_to_make(at) {}

  [[nodiscard]] OnItsWay make(const Position& position) const {
    const Items items = order.items(position);
    Batch batch = items.dataset->draw(items.indices, items.keys);
    batch.divisor = items.divisor;
    return copy.begin(std::move(batch));
  }

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      wake_workers.wait(lock, [this] { return stopping || made < given + depth(); });
      if (stopping) return;
      const std::int64_t number = made++;
      const std::uint64_t its_generation = generation;
      const Position position = next_to_make;
      next_to_make = order.after(next_to_make);
      lock.unlock();

      Prepared prepared;
      try {
        prepared.sent = make(position);
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

  LoaderOptions options;
  Order order;
  DeviceCopy copy;

  mutable std::mutex mutex;
  std::condition_variable wake_workers;
  std::condition_variable wake_reader;
  Position at;                             // of the batch that next() will return
  Position next_to_make;                   // of the batch that a worker will begin
  std::uint64_t generation = 0;            // counts seeks
  std::int64_t given = 0;                  // batches of this generation: returned by next()
  std::int64_t made = 0;                   // and begun by a worker
  std::map<std::int64_t, Prepared> ready;  // by number, so that the order never depends on threads
  bool stopping = false;
  std::vector<std::thread> threads;
};

Loader::Loader(std::vector<Stage> stages, LoaderOptions options) {
  LONGCONV_CHECK(options.workers >= 0, DataError, "loader: {} workers, expected at least 0",
                 options.workers);
  impl_ = std::make_unique<Impl>(std::move(stages), options);
  for (std::int64_t i = 0; i < options.workers; ++i) {
    impl_->threads.emplace_back([impl = impl_.get()] { impl->work(); });
  }
}

Loader::Loader(std::shared_ptr<const Dataset> dataset, LoaderOptions options)
    : Loader(one_stage(std::move(dataset), options), options) {}

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
  OnItsWay sent;
  if (loader.threads.empty()) {
    sent = loader.make(loader.at);
  } else {
    loader.wake_reader.wait(lock, [&] { return loader.ready.count(loader.given) > 0; });
    const auto found = loader.ready.find(loader.given);
    // An error stays where it is: asking again gives it again, and the position does not move.
    if (found->second.error) std::rethrow_exception(found->second.error);
    sent = std::move(found->second.sent);
    loader.ready.erase(found);
  }
  ++loader.given;
  loader.at = loader.order.after(loader.at);
  loader.wake_workers.notify_one();
  lock.unlock();
  return loader.copy.take(std::move(sent));
}

Position Loader::position() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->at;
}

std::int64_t Loader::passes() const { return impl_->order.passes(position().consumed); }

void Loader::seek(const Position& position) {
  Impl& loader = *impl_;
  LONGCONV_CHECK(position.consumed >= 0 && position.pass >= 0 &&
                     position.pass < loader.order.passes(position.consumed),
                 DataError, "loader: cannot seek to item {}, batch {} of its step",
                 position.consumed, position.pass);
  {
    const std::lock_guard lock(loader.mutex);
    loader.at = position;
    loader.next_to_make = position;
    loader.given = 0;
    loader.made = 0;
    loader.ready.clear();
    ++loader.generation;
  }
  loader.wake_workers.notify_all();
}

}  // namespace longconv::data
