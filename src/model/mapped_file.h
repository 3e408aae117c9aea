#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <thread>

#include "base/result.h"

namespace feilun::model {

/// A file mapped read-only into memory. Immutable; any thread may call. The map starts at a page. The first
/// half gigabyte of a large file is read from now on, by a thread that mostly waits for the disk: a model's
/// weights come while its vocabulary is built.
class MappedFile {
 public:
  /// kNotFound, or kIo with the system's reason. An empty file gives empty bytes.
  static Result<std::shared_ptr<const MappedFile>> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  /// Tells the kernel that the whole pages inside `part` (a part of bytes()) are not needed any more.
  void release(std::span<const std::byte> part) const;

 private:
  MappedFile(const std::byte* data, size_t size);
  void read_ahead(const std::stop_token& stop) const;

  const std::byte* data_;
  size_t size_;
  std::jthread ahead_;
};

/// The whole of a small text file. kNotFound, kIo, or kCorrupt when it is larger than `bytes_max`.
Result<std::string> read_text_file(const std::filesystem::path& path, size_t bytes_max);

}  // namespace feilun::model
