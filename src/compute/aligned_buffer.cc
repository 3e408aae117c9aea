#include "compute/aligned_buffer.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace feilun::compute {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;

}  // namespace

Result<AlignedBuffer> AlignedBuffer::allocate(size_t bytes) {
  AlignedBuffer buffer;
  if (bytes > SIZE_MAX / 2)
    return fail(ErrorCode::kOverloaded, "{} bytes of memory are not to be had", bytes);
  buffer.size_ = bytes;
  if (bytes == 0) return buffer;
  if (bytes < kHugePage) {
    const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    buffer.data_ = static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded));
    if (buffer.data_ == nullptr) return fail(ErrorCode::kOverloaded, "no memory for {} bytes", bytes);
    std::memset(buffer.data_, 0, rounded);
    return buffer;
  }
  buffer.mapping_size_ = (bytes + kHugePage - 1) / kHugePage * kHugePage + kHugePage;
  void* mapping =
      mmap(nullptr, buffer.mapping_size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) {
    buffer.size_ = 0;
    return fail(ErrorCode::kOverloaded, "no memory for {} bytes", bytes);
  }
  buffer.mapping_ = mapping;
  const auto address = reinterpret_cast<uintptr_t>(mapping);
  const size_t skip = (kHugePage - address % kHugePage) % kHugePage;
  buffer.data_ = static_cast<std::byte*>(mapping) + skip;
  madvise(buffer.data_, buffer.mapping_size_ - skip, MADV_HUGEPAGE);  // advice: a refusal changes nothing
  return buffer;
}

AlignedBuffer::AlignedBuffer(AlignedBuffer&& other) noexcept {
  *this = std::move(other);
}

AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapping_size_, other.mapping_size_);
  return *this;
}

AlignedBuffer::~AlignedBuffer() {
  if (mapping_ != nullptr) {
    munmap(mapping_, mapping_size_);
  } else {
    std::free(data_);
  }
}

}  // namespace feilun::compute
