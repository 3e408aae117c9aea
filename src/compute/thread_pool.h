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
///
/// For the same reason a loop is not cut into one fixed part a thread: a thread that has lost its core for a
/// while would hold up all others. Each begins with a part of its own, takes a little of it at a time, and
/// then helps with what is left of the others'. A worker that comes too late to help is not waited for.

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

  /// Calls body(begin, end, thread) for ranges that together are [0, count), at most one call a thread at a
  /// time. Returns when all have ended. `body` must not throw.
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
  /// A part of the loop: who takes some of it moves `next`.
  struct alignas(64) Part {
    std::atomic<int64_t> next = 0;
    int64_t end = 0;
  };

  void run(int64_t count, Share share, void* context);
  void help(int thread);
  bool enter();
  void work(int thread);

  static constexpr uint32_t kOpen = uint32_t{1} << 31;

  int size_;
  Share share_ = nullptr;
  void* context_ = nullptr;
  int64_t step_ = 1;  ///< indices that are taken at a time
  std::vector<Part> parts_;
  std::atomic<bool> stopping_ = false;
  alignas(64) std::atomic<uint32_t> round_ = 0;  ///< goes up when a loop starts
  /// Workers that are in the loop, and kOpen while others may still enter.
  alignas(64) std::atomic<uint32_t> inside_ = 0;
  std::vector<std::thread> workers_;
};

}  // namespace feilun::compute
