#include "compute/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <string>

namespace feilun::compute {
namespace {

constexpr std::chrono::microseconds kSpinMax(50);

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Returns once `value` is no longer `old`.
void await_change(const std::atomic<uint32_t>& value, uint32_t old) {
  const auto deadline = std::chrono::steady_clock::now() + kSpinMax;
  do {
    for (int i = 0; i < 64; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      relax();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(int threads) : size_(std::clamp(threads, 1, usable_cores())) {
  for (int thread = 1; thread < size_; ++thread) {
    workers_.emplace_back([this, thread] { work(thread); });
    pthread_setname_np(workers_.back().native_handle(), ("compute-" + std::to_string(thread)).c_str());
  }
}

ThreadPool::~ThreadPool() {
  stopping_.store(true, std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t count, Share share, void* context) {
  if (count <= 0) return;
  if (count == 1 || size_ == 1) return share(context, 0, count, 0);
  share_ = share;
  context_ = context;
  count_ = count;
  working_.store(static_cast<uint32_t>(size_ - 1), std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  run_share(0);
  for (uint32_t left; (left = working_.load(std::memory_order_acquire)) != 0;) await_change(working_, left);
}

void ThreadPool::run_share(int thread) const {
  const int64_t begin = count_ * thread / size_;
  const int64_t end = count_ * (thread + 1) / size_;
  if (begin < end) share_(context_, begin, end, thread);
}

void ThreadPool::work(int thread) {
  for (uint32_t seen = 0;;) {
    await_change(round_, seen);
    seen = round_.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_relaxed)) return;
    run_share(thread);
    if (working_.fetch_sub(1, std::memory_order_release) == 1) working_.notify_one();
  }
}

}  // namespace feilun::compute
