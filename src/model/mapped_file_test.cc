#include "model/mapped_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <vector>

#include "base/temporary_directory.h"

namespace feilun::model {
namespace {

constexpr size_t kSize = size_t{24} << 20;

class LargeFile : public ::testing::Test {
 protected:
  LargeFile() {
    const std::vector<char> bytes(kSize, 'x');
    std::ofstream(path_).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    fsync(file);
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }

  TemporaryDirectory folder_;
  const std::filesystem::path path_ = folder_ / "weights";
};

bool is_in_memory(std::span<const std::byte> bytes) {
  std::vector<unsigned char> pages(bytes.size() / static_cast<size_t>(sysconf(_SC_PAGESIZE)));
  if (mincore(const_cast<std::byte*>(bytes.data()), bytes.size(), pages.data()) != 0) return false;
  return std::ranges::all_of(pages, [](unsigned char page) { return (page & 1) != 0; });
}

TEST_F(LargeFile, IsReadBeforeItIsAskedFor) {
  const auto file = MappedFile::open(path_).value();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!is_in_memory(file->bytes()) && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_TRUE(is_in_memory(file->bytes()));
}

TEST_F(LargeFile, MayBeClosedWhileItIsRead) {
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(MappedFile::open(path_));
}

TEST_F(LargeFile, MayBeCutShortWhileItIsRead) {
  const auto file = MappedFile::open(path_).value();
  std::filesystem::resize_file(path_, 0);
}

}  // namespace
}  // namespace feilun::model
