#pragma once

#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace feilun {

/// Where the shared test data lies: $FEILUN_TESTDATA, or ../shared/testdata beside the source tree.
/// Tests skip with a message where a file is absent:  SKIP_WITHOUT(testdata_path("models/…"));
inline std::filesystem::path testdata_path(std::string_view relative) {
  const char* root = std::getenv("FEILUN_TESTDATA");
#ifdef FEILUN_SOURCE_DIR
  if (root == nullptr) return std::filesystem::path(FEILUN_SOURCE_DIR) / "../shared/testdata" / relative;
#endif
  return std::filesystem::path(root == nullptr ? "../shared/testdata" : root) / relative;
}

}  // namespace feilun

#define SKIP_WITHOUT(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "test data absent: " << (path)
