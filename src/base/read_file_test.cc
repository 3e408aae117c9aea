#include "base/read_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_directory.h"

namespace feilun {
namespace {

TEST(ReadFile, GivesAllBytesOrSaysWhyNot) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "file";
  EXPECT_EQ(read_file(path).error().code, ErrorCode::kNotFound);
  for (const std::string& bytes : {std::string(), std::string("a\0b\n", 4), std::string(200'000, 'x')}) {
    std::ofstream(path, std::ios::binary) << bytes;
    EXPECT_EQ(read_file(path), bytes);
  }
  const auto of_a_directory = read_file(directory.path());
  ASSERT_FALSE(of_a_directory);
  EXPECT_EQ(of_a_directory.error().code, ErrorCode::kIo);
  EXPECT_EQ(of_a_directory.error().message, "cannot read " + directory.path().string() + ": Is a directory");
}

}  // namespace
}  // namespace feilun
