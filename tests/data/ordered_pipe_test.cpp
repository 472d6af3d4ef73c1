#include "data/tasks/ordered_pipe.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>
#include <string>

namespace longconv::data {
namespace {

/// Numbers from 0, doubled.
struct Doubling {
  explicit Doubling(int items) : count(items) {
    pipe.read = [this](int& item) {
      if (next == count) return false;
      item = next++;
      return true;
    };
    pipe.bytes = [](const int&) { return std::size_t{10}; };
    pipe.make_worker = [] { return [](int& item) { return 2 * item; }; };
    pipe.take = [this](int& result) {
      EXPECT_EQ(result, 2 * taken);
      ++taken;
    };
  }
  int count;
  int next = 0;
  int taken = 0;
  Pipe<int, int> pipe;
};

TEST(OrderedPipe, TakesAllInOrderWithAnyBudget) {
  for (const int threads : {1, 2, 5}) {
    for (const std::size_t budget : {1U, 35U, 1000U}) {
      Doubling all(300);
      run_pipe(all.pipe, threads, budget);
      EXPECT_EQ(all.taken, 300);
    }
  }
}

/// Whether `event` comes while the one who asks is inside his own function.
bool comes(const std::shared_future<void>& event) {
  return event.wait_for(std::chrono::seconds(30)) == std::future_status::ready;
}

TEST(OrderedPipe, OneWorkerWorksWhileOthersReadAndTake) {
  std::promise<void> second_read;
  std::promise<void> second_worked;
  const std::shared_future<void> read_again = second_read.get_future();
  const std::shared_future<void> worked_again = second_worked.get_future();
  Doubling all(2);
  const auto read = all.pipe.read;
  all.pipe.read = [&](int& item) {
    const bool more = read(item);
    if (more && item == 1) second_read.set_value();
    return more;
  };
  all.pipe.make_worker = [&] {
    return [&](int& item) {
      EXPECT_TRUE(item == 1 || comes(read_again)) << "nothing is read while a worker works";
      if (item == 1) second_worked.set_value();
      return 2 * item;
    };
  };
  const auto take = all.pipe.take;
  all.pipe.take = [&](int& result) {
    EXPECT_TRUE(comes(worked_again)) << "nothing is worked on while a result is taken";
    take(result);
  };
  run_pipe(all.pipe, 1, 1000);
  EXPECT_EQ(all.taken, 2);
}

TEST(OrderedPipe, ReadsNoFurtherAheadThanItsBudget) {
  Doubling all(300);
  std::atomic<int> read_so_far{0};
  const auto read = all.pipe.read;
  all.pipe.read = [&](int& item) {
    ++read_so_far;
    return read(item);
  };
  const auto take = all.pipe.take;
  all.pipe.take = [&](int& result) {
    EXPECT_LE(read_so_far, all.taken + 5);
    take(result);
  };
  run_pipe(all.pipe, 4, 50);
  EXPECT_EQ(all.taken, 300);
}

TEST(OrderedPipe, TheEarliestErrorComesOutWhateverTheThreadsDo) {
  for (const int threads : {1, 2, 5}) {
    for (int bad = 0; bad < 100; ++bad) {
      Doubling work(100);
      work.pipe.make_worker = [bad] {
        return [bad](int& item) {
          if (item >= bad) throw std::runtime_error(std::to_string(item));
          return 2 * item;
        };
      };
      try {
        run_pipe(work.pipe, threads, 50);
        ADD_FAILURE() << "no error";
      } catch (const std::runtime_error& error) {
        EXPECT_EQ(error.what(), std::to_string(bad));
      }
      EXPECT_EQ(work.taken, bad);

      Doubling reading(100);
      const auto read = reading.pipe.read;
      reading.pipe.read = [&](int& item) {
        if (reading.next == bad) throw std::runtime_error("unreadable");
        return read(item);
      };
      EXPECT_THROW(run_pipe(reading.pipe, threads, 50), std::runtime_error);
      EXPECT_EQ(reading.taken, bad);

      Doubling taking(1000);
      taking.pipe.take = [bad](int& result) {
        if (result == 2 * bad) throw std::runtime_error("full");
      };
      EXPECT_THROW(run_pipe(taking.pipe, threads, 50), std::runtime_error);
    }
  }
}

}  // namespace
}  // namespace longconv::data
