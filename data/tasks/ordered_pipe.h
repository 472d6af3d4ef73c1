// Items read one after another, worked on by several threads, taken in their order: the result
// never depends on the threads. Reading, working and taking overlap, so that a pipe takes as long
// as the slowest of the three where there are cores for them.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace longconv::data {

/// Where items come from and what becomes of them.
template <class Item, class Result>
struct Pipe {
  /// On a thread of its own; false at the end. `Item` is new, or one that has been worked on and
  /// whose storage may be used again.
  std::function<bool(Item&)> read;
  std::function<std::size_t(const Item&)> bytes;  ///< that an item holds in memory
  /// Called once by each worker, for a function of its own.
  std::function<std::function<Result(Item&)>()> make_worker;
  std::function<void(Result&)> take;  ///< on the calling thread, in order
};

/// What run_pipe() keeps: the queues between the three stages.
template <class Item, class Result>
class PipeRun {
 public:
  PipeRun(const Pipe<Item, Result>& pipe, std::int64_t workers, std::size_t budget)
      : pipe_(pipe), workers_(std::max<std::int64_t>(workers, 1)), budget_(budget) {}

  void run() {
    std::vector<std::thread> threads;
    std::exception_ptr error;
    try {
      threads.emplace_back([this] { read_all(); });
      for (std::int64_t i = 0; i < workers_; ++i) threads.emplace_back([this] { work(); });
      take_all();
    } catch (...) {
      error = std::current_exception();
    }
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    for (auto* changed : {&room_, &waiting_changed_, &done_changed_}) changed->notify_all();
    for (std::thread& thread : threads) thread.join();
    if (error) std::rethrow_exception(error);
  }

 private:
  struct Waiting {
    Item item;
    std::int64_t number = 0;
    std::size_t bytes = 0;
  };
  struct Done {
    std::optional<Result> result;
    std::exception_ptr error;
    std::size_t bytes = 0;
  };

  /// So many items a worker may wait for it: enough that none is idle, few enough that an item is
  /// still in the cache that its reader left it in.
  static constexpr std::size_t kAhead = 2;

  void read_all() {
    const std::size_t ahead = kAhead * static_cast<std::size_t>(workers_);
    for (std::int64_t number = 0;; ++number) {
      Item item;
      {
        std::unique_lock lock(mutex_);
        room_.wait(lock, [&] {
          return stopping_ ||
                 (waiting_.size() < ahead && (held_bytes_ == 0 || held_bytes_ < budget_));
        });
        if (stopping_) return;
        if (!spare_.empty()) {
          item = std::move(spare_.back());
          spare_.pop_back();
        }
      }
      bool more = false;
      std::size_t bytes = 0;
      std::exception_ptr error;
      try {
        more = pipe_.read(item);
        if (more) bytes = pipe_.bytes(item);
      } catch (...) {
        more = false;
        error = std::current_exception();
      }
      const std::lock_guard lock(mutex_);
      if (!more) {
        if (error) done_.emplace(number, Done{std::nullopt, error, 0});
        end_ = number + (error ? 1 : 0);
        waiting_changed_.notify_all();
        done_changed_.notify_one();
        return;
      }
      held_bytes_ += bytes;
      waiting_.push_back({std::move(item), number, bytes});
      waiting_changed_.notify_one();
    }
  }

  void work() {
    std::function<Result(Item&)> worker;
    while (true) {
      Waiting next;
      {
        std::unique_lock lock(mutex_);
        waiting_changed_.wait(lock, [&] { return stopping_ || end_ >= 0 || !waiting_.empty(); });
        if (stopping_ || waiting_.empty()) return;
        next = std::move(waiting_.front());
        waiting_.pop_front();
        room_.notify_one();
      }
      Done out;
      out.bytes = next.bytes;
      try {
        if (!worker) worker = pipe_.make_worker();
        out.result.emplace(worker(next.item));
      } catch (...) {
        out.error = std::current_exception();
      }
      const std::lock_guard lock(mutex_);
      done_.emplace(next.number, std::move(out));
      spare_.push_back(std::move(next.item));
      done_changed_.notify_one();
    }
  }

  void take_all() {
    std::unique_lock lock(mutex_);
    for (std::int64_t taken = 0;; ++taken) {
      done_changed_.wait(lock, [&] { return taken == end_ || done_.count(taken) > 0; });
      if (taken == end_) return;
      Done out = std::move(done_.at(taken));
      done_.erase(taken);
      lock.unlock();
      if (out.error) std::rethrow_exception(out.error);
      pipe_.take(*out.result);
      lock.lock();
      held_bytes_ -= out.bytes;
      room_.notify_one();
    }
  }

  const Pipe<Item, Result>& pipe_;
  const std::int64_t workers_;
  const std::size_t budget_;
  std::mutex mutex_;  // of all that follows
  std::condition_variable room_, waiting_changed_, done_changed_;
  std::deque<Waiting> waiting_;        // read, for the next worker
  std::vector<Item> spare_;            // worked on; their storage waits for the reader
  std::map<std::int64_t, Done> done_;  // by number, to be taken
  std::int64_t end_ = -1;              // how many there are to take, once known
  std::size_t held_bytes_ = 0;         // read and not taken
  bool stopping_ = false;
};

/// Runs the pipe: one thread reads, `workers` (at least 1) work, this one takes. Reading waits
/// while items of more than `budget` bytes have been read and not taken; an item larger than that
/// goes alone. What read, a worker or take throws comes out of here, that of the earliest item,
/// after all threads have ended.
template <class Item, class Result>
void run_pipe(const Pipe<Item, Result>& pipe, std::int64_t workers, std::size_t budget) {
  PipeRun<Item, Result>(pipe, workers, budget).run();
}

}  // namespace longconv::data
