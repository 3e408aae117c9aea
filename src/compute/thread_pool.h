#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

/// A forward pass is a few hundred parallel steps of 10 µs to 1 ms with nothing in between, so a worker that
/// went to sleep after each would spend more time waking than working. Workers therefore spin for the next
/// step, but at most 50 µs: the cores are shared with the gateway's threads, and an idle engine must cost
/// nothing. After that they wait in the kernel.

namespace feilun::compute {

/// Threads that divide loops among themselves. The caller of parallel_for is one of them. One caller at a
/// time.
class ThreadPool {
 public:
  /// At least one thread, at most as many as the process has cores to run on.
  explicit ThreadPool(int threads);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  int size() const { return size_; }

  /// Calls body(begin, end, thread) once per thread with its share of [0, count): fixed ranges in order,
  /// cut as evenly as they go. Returns when all have. `body` must not throw.
  template <typename Body>
  void parallel_for(int64_t count, Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run(
        count,
        [](void* context, int64_t begin, int64_t end, int thread) {
          (*static_cast<Plain*>(context))(begin, end, thread);
        },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

 private:
  using Share = void (*)(void* context, int64_t begin, int64_t end, int thread);
  void run(int64_t count, Share share, void* context);
  void run_share(int thread) const;
  void work(int thread);

  int size_;
  Share share_ = nullptr;
  void* context_ = nullptr;
  int64_t count_ = 0;
  std::atomic<bool> stopping_ = false;
  alignas(64) std::atomic<uint32_t> round_ = 0;    ///< goes up when a loop starts
  alignas(64) std::atomic<uint32_t> working_ = 0;  ///< workers that have not finished it
  std::vector<std::thread> workers_;
};

}  // namespace feilun::compute
