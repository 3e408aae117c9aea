#include "engine/memory_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_directory.h"
#include "engine/available_memory.h"

namespace feilun::engine {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kMiB = int64_t{1} << 20;

TEST(MemoryFit, NamesTheNeededAndTheAvailableMemoryAndTheWayOut) {
  EXPECT_TRUE(check_fit(90 * kMiB, 10 * kMiB, 100 * kMiB));
  const auto refused = check_fit(90 * kMiB, 10 * kMiB, 100 * kMiB - 1);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("100 MiB"));
  EXPECT_THAT(refused.error().message, HasSubstr("99 MiB are available"));
  for (const char* flag : {"--ctx", "--kv-memory", "--quant"})
    EXPECT_THAT(refused.error().message, HasSubstr(flag));
}

TEST(MemoryFit, SurvivesSizesNearTheEndOfTheNumbers) {
  EXPECT_FALSE(check_fit(INT64_MAX, INT64_MAX / 2, INT64_MAX - 1));
}

TEST(MemoryFit, TakesWhatAllSequencesNeedUpToOneGiB) {
  const auto small = plan_kv({.model_context = 512, .block_bytes = 1024, .max_sequences = 4});
  ASSERT_TRUE(small);
  EXPECT_EQ(small->blocks, 4 * 32);
  EXPECT_EQ(small->context, 512);
  const auto large = plan_kv({.model_context = 131072, .block_bytes = kMiB, .max_sequences = 64});
  ASSERT_TRUE(large);
  EXPECT_EQ(large->blocks, 1024);
  EXPECT_EQ(large->context, 16384) << "a window nobody asked for shrinks to what fits";
}

TEST(MemoryFit, ObeysTheMemoryAskedFor) {
  const auto plan = plan_kv({.context = 64,
                             .memory_bytes = 10 * 1024,
                             .model_context = 512,
                             .block_bytes = 1000,
                             .max_sequences = 64});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->blocks, 10);
  EXPECT_EQ(plan->context, 64);
}

TEST(MemoryFit, RefusesAWindowThatCannotBeHad) {
  EXPECT_FALSE(plan_kv({.context = 513, .model_context = 512, .block_bytes = 1024}));
  const auto tight =
      plan_kv({.context = 512, .memory_bytes = 31 * 1024, .model_context = 512, .block_bytes = 1024});
  ASSERT_FALSE(tight);
  EXPECT_THAT(tight.error().message, HasSubstr("--kv-memory"));
  EXPECT_FALSE(plan_kv({.memory_bytes = 1, .model_context = 512, .block_bytes = 1024}));
}

/// A directory tree that looks like / to available_memory().
class FakeRoot {
 public:
  FakeRoot& file(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
    return *this;
  }
  const std::filesystem::path& path() const { return root_.path(); }

 private:
  TemporaryDirectory root_;
};

TEST(AvailableMemory, ReadsTheMachinesOwnWord) {
  FakeRoot root;
  root.file("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    5000 kB\n");
  EXPECT_EQ(available_memory(root.path()), 5000 * 1024);
}

TEST(AvailableMemory, ObeysAControlGroupOfVersion2AndItsParents) {
  FakeRoot root;
  root.file("proc/meminfo", "MemAvailable: 5000 kB\n").file("proc/self/cgroup", "0::/outer/inner\n");
  root.file("sys/fs/cgroup/outer/inner/memory.max", "max\n")
      .file("sys/fs/cgroup/outer/inner/memory.current", "9\n");
  EXPECT_EQ(available_memory(root.path()), 5000 * 1024);
  root.file("sys/fs/cgroup/outer/memory.max", "3000\n").file("sys/fs/cgroup/outer/memory.current", "2500\n");
  EXPECT_EQ(available_memory(root.path()), 500);
  root.file("sys/fs/cgroup/outer/memory.stat", "anon 1500\ninactive_file 1000\n");
  EXPECT_EQ(available_memory(root.path()), 1500) << "file pages can be dropped";
}

TEST(AvailableMemory, ObeysAControlGroupOfVersion1) {
  FakeRoot root;
  root.file("proc/meminfo", "MemAvailable: 5000 kB\n")
      .file("proc/self/cgroup", "5:cpu:/x\n4:memory:/job\n0::/\n");
  root.file("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "1000\n");
  root.file("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "1200\n");
  EXPECT_EQ(available_memory(root.path()), 0);
  root.file("sys/fs/cgroup/memory/job/memory.stat", "total_inactive_file 700\n");
  EXPECT_EQ(available_memory(root.path()), 500);
}

TEST(AvailableMemory, SetsNoLimitWhereNothingCanBeRead) {
  FakeRoot root;
  EXPECT_EQ(available_memory(root.path()), INT64_MAX);
  root.file("proc/meminfo", "MemAvailable: lots\n").file("proc/self/cgroup", "nonsense\n0::\n:::\n");
  EXPECT_EQ(available_memory(root.path()), INT64_MAX);
}

}  // namespace
}  // namespace feilun::engine
