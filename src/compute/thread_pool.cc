#include "compute/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <string>

namespace feilun::compute {
namespace {

constexpr std::chrono::microseconds kSpinMax(50);
/// Times that a thread comes back for more of its own part: often enough that what is left when the others
/// have finished is little, seldom enough that a part is mostly one stream through memory.
constexpr int64_t kStepsPerPart = 8;

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

ThreadPool::ThreadPool(int threads)
    : size_(std::clamp(threads, 1, usable_cores())), parts_(static_cast<size_t>(size_)) {
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
  step_ = std::max<int64_t>(1, count / (size_ * kStepsPerPart));
  for (int i = 0; i < size_; ++i) {
    Part& part = parts_[static_cast<size_t>(i)];
    part.next.store(count * i / size_, std::memory_order_relaxed);
    part.end = count * (i + 1) / size_;
  }
  inside_.store(kOpen, std::memory_order_release);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  help(0);
  inside_.fetch_and(~kOpen, std::memory_order_acq_rel);
  for (uint32_t left; (left = inside_.load(std::memory_order_acquire)) != 0;) await_change(inside_, left);
}

/// The thread's own part, then those after it.
void ThreadPool::help(int thread) {
  for (int i = 0; i < size_; ++i) {
    Part& part = parts_[static_cast<size_t>((thread + i) % size_)];
    for (int64_t begin; (begin = part.next.fetch_add(step_, std::memory_order_relaxed)) < part.end;) {
      share_(context_, begin, std::min(begin + step_, part.end), thread);
    }
  }
}

/// False when the loop has ended without this worker.
bool ThreadPool::enter() {
  uint32_t inside = inside_.load(std::memory_order_acquire);
  while ((inside & kOpen) != 0) {
    if (inside_.compare_exchange_weak(inside, inside + 1, std::memory_order_acq_rel)) return true;
  }
  return false;
}

void ThreadPool::work(int thread) {
  for (uint32_t seen = 0;;) {
    await_change(round_, seen);
    seen = round_.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_relaxed)) return;
    if (!enter()) continue;
    help(thread);
    if (inside_.fetch_sub(1, std::memory_order_acq_rel) == 1) inside_.notify_one();
  }
}

}  // namespace feilun::compute
