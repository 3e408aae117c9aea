#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

/// A folder of this process whose files a fuzzer's input writes: lines of "=== NAME" start a file, what
/// follows is its text. Gone when the process ends.
class WrittenDirectory {
 public:
  explicit WrittenDirectory(std::span<const std::string_view> names) : names_(names) {
    std::filesystem::create_directories(path_);
    for (const std::string_view name : names)
      std::filesystem::create_directories((path_ / name).parent_path());
  }
  ~WrittenDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }

  /// The files that `text` does not name are removed.
  void write(std::string_view text) const {
    for (const std::string_view name : names_) {
      const std::string mark = "=== " + std::string(name) + "\n";
      const size_t at = text.find(mark);
      if (at == text.npos) {
        std::error_code ignored;
        std::filesystem::remove(path_ / name, ignored);
        continue;
      }
      const size_t begin = at + mark.size();
      const std::string_view body = text.substr(begin, text.find("=== ", begin) - begin);
      std::ofstream(path_ / name, std::ios::binary) << body;
    }
  }

 private:
  const std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("feilun-fuzz-" + std::to_string(::getpid()));
  const std::span<const std::string_view> names_;
};
