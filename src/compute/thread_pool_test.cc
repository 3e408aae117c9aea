#include "compute/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace feilun::compute {
namespace {

TEST(ThreadPool, CoversEveryIndexOnce) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (int64_t count = 0; count < 40; ++count) {
      std::vector<int> seen(static_cast<size_t>(count), 0);
      pool.parallel_for(count, [&](int64_t begin, int64_t end, int thread) {
        ASSERT_LT(thread, pool.size());
        for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
      });
      for (const int times : seen) ASSERT_EQ(times, 1);
    }
  }
}

TEST(ThreadPool, NeverHasMoreThreadsThanCores) {
  ThreadPool pool(100000);
  EXPECT_LE(pool.size(), static_cast<int>(std::thread::hardware_concurrency()));
  EXPECT_GE(ThreadPool(-3).size(), 1);
}

TEST(ThreadPool, WritesOfALoopAreSeenByTheNext) {
  ThreadPool pool(8);
  std::vector<int64_t> numbers(64, 0);
  for (int round = 0; round < 3000; ++round) {
    pool.parallel_for(64, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) numbers[static_cast<size_t>(i)] += 1;
    });
    pool.parallel_for(64, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) ASSERT_EQ(numbers[static_cast<size_t>(63 - i)], round + 1);
    });
  }
}

TEST(ThreadPool, OthersFinishThePartOfAThreadThatIsHeldUp) {
  ThreadPool pool(2);
  if (pool.size() < 2) GTEST_SKIP() << "one core";
  std::atomic<int> done = 0;
  pool.parallel_for(16, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      while (i == 0 && done < 15) std::this_thread::yield();
      ++done;
    }
  });
  EXPECT_EQ(done, 16);
}

TEST(ThreadPool, WakesWorkersThatFellAsleep) {
  ThreadPool pool(8);
  std::atomic<int64_t> total = 0;
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    pool.parallel_for(100, [&](int64_t begin, int64_t end, int) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      total += end - begin;
    });
  }
  EXPECT_EQ(total, 2000);
}

TEST(ThreadPool, EndsWithoutEverHavingWorked) {
  for (int i = 0; i < 50; ++i) ThreadPool pool(8);
}

}  // namespace
}  // namespace feilun::compute
