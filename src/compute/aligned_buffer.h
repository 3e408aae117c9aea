#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"

namespace feilun::compute {

/// Zeroed memory on a 64-byte boundary. From two megabytes on it comes straight from the kernel, aligned to
/// and advised as huge pages: weights are read once a step from end to end, and with small pages a good part
/// of the memory bandwidth goes into address translation. Pages never touched cost nothing. Movable.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  /// kOverloaded when the machine refuses that much memory.
  static Result<AlignedBuffer> allocate(size_t bytes);
  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;
  ~AlignedBuffer();

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  void* mapping_ = nullptr;  ///< null: the memory is the heap's
  size_t mapping_size_ = 0;
};

/// An array of T in an AlignedBuffer that only grows; growing forgets the contents.
template <typename T>
class AlignedArray {
 public:
  Result<> reserve(size_t count) {
    if (count * sizeof(T) <= buffer_.size()) return {};
    buffer_ = TRY(AlignedBuffer::allocate(count * sizeof(T)));
    return {};
  }
  T* data() { return reinterpret_cast<T*>(buffer_.data()); }
  const T* data() const { return reinterpret_cast<const T*>(buffer_.data()); }
  T& operator[](size_t i) { return data()[i]; }
  size_t capacity() const { return buffer_.size() / sizeof(T); }

 private:
  AlignedBuffer buffer_;
};

}  // namespace feilun::compute
