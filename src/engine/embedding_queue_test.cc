#include "engine/embedding_queue.h"

#include <gtest/gtest.h>

namespace feilun::engine {
namespace {

Result<> submit(EmbeddingQueue& queue, std::string id, size_t inputs) {
  return queue.submit({std::move(id), std::vector<std::vector<TokenId>>(inputs, {1})},
                      [](EmbeddingResult) {});
}

TEST(EmbeddingQueue, AJobWhoseResultIsTooLargeIsTakenAlone) {
  EmbeddingQueue queue({.jobs = 10, .tokens = 100, .result_bytes = 64}, 16);
  EXPECT_TRUE(submit(queue, "large", 5));
  EXPECT_EQ(submit(queue, "small", 1).error().code, ErrorCode::kOverloaded);
  std::deque<std::unique_ptr<LiveJob>> jobs;
  std::vector<std::unique_ptr<LiveJob>> ended;
  EXPECT_TRUE(queue.refresh(jobs, ended));
  ended.push_back(std::move(jobs.front()));
  queue.forget(ended, {});
  EXPECT_TRUE(submit(queue, "three", 3));
  EXPECT_TRUE(submit(queue, "one", 1));
  EXPECT_EQ(submit(queue, "small", 1).error().code, ErrorCode::kOverloaded);
}

}  // namespace
}  // namespace feilun::engine
