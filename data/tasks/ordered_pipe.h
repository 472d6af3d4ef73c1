// Items read one after another, worked on by several threads, taken in their order: the result
// never depends on the threads.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace longconv::data {

/// Where items come from and what becomes of them. No two threads call the same function at once,
/// except the functions that make_worker() returns, of which each thread has its own.
template <class Item, class Result>
struct Pipe {
  std::function<bool(Item&)> read;  ///< false at the end; each thread reads into its own again
  std::function<std::size_t(const Item&)> bytes;  ///< that an item holds in memory
  std::function<std::function<Result(Item&)>()> make_worker;
  std::function<void(Result&)> take;  ///< on the calling thread, in order
};

/// Runs the pipe on `threads` threads besides this one (at least 1). Reading waits while items of
/// more than `budget` bytes have been read and not taken; an item larger than that goes alone.
/// What read, a worker or take throws comes out of here, that of the earliest item, after all
/// threads have ended.
template <class Item, class Result>
void run_pipe(const Pipe<Item, Result>& pipe, std::int64_t threads, std::size_t budget) {
  struct Done {
    std::optional<Result> result;
    std::exception_ptr error;
    std::size_t bytes = 0;
  };
  std::mutex reading;  // one thread reads at a time, and numbers what it has read
  std::mutex mutex;    // of all that follows
  std::condition_variable changed;
  std::map<std::int64_t, Done> done;
  std::int64_t next = 0;       // to read
  std::int64_t end = -1;       // how many there are, once known
  std::size_t held_bytes = 0;  // read and not taken
  bool stopping = false;

  const auto work = [&] {
    std::function<Result(Item&)> worker;
    Item item;
    while (true) {
      std::unique_lock one_reads(reading);
      std::int64_t number = 0;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return stopping || held_bytes == 0 || held_bytes < budget; });
        if (stopping || end >= 0) return;
        number = next;
      }
      Done out;
      bool more = false;
      try {
        if (!worker) worker = pipe.make_worker();
        more = pipe.read(item);
        if (more) out.bytes = pipe.bytes(item);
      } catch (...) {
        out.error = std::current_exception();
      }
      {
        const std::lock_guard lock(mutex);
        if (more || out.error) ++next;
        if (!more) end = next;
        held_bytes += out.bytes;
      }
      one_reads.unlock();
      if (more) {
        try {
          out.result.emplace(worker(item));
        } catch (...) {
          out.error = std::current_exception();
        }
      }
      const std::lock_guard lock(mutex);
      if (more || out.error) done.emplace(number, std::move(out));
      changed.notify_all();
    }
  };

  std::vector<std::thread> pool;
  std::exception_ptr error;
  try {
    for (std::int64_t i = 0; i < std::max<std::int64_t>(threads, 1); ++i) pool.emplace_back(work);
    std::unique_lock lock(mutex);
    for (std::int64_t taken = 0;; ++taken) {
      changed.wait(lock, [&] { return taken == end || done.count(taken) > 0; });
      if (taken == end) break;
      Done out = std::move(done.at(taken));
      done.erase(taken);
      lock.unlock();
      if (out.error) std::rethrow_exception(out.error);
      pipe.take(*out.result);
      lock.lock();
      held_bytes -= out.bytes;
      changed.notify_all();
    }
  } catch (...) {
    error = std::current_exception();
  }
  {
    const std::lock_guard lock(mutex);
    stopping = true;
  }
  changed.notify_all();
  for (std::thread& thread : pool) thread.join();
  if (error) std::rethrow_exception(error);
}

}  // namespace longconv::data
