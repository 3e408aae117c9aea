#include "gateway/reply_room.h"

#include <gtest/gtest.h>

namespace feilun::gateway {
namespace {

TEST(ReplyRoom, IsGivenUpToItsBoundAndTakenBack) {
  ReplyRoom room(10);
  auto six = room.take(6);
  ASSERT_TRUE(six);
  auto four = room.take(4);
  ASSERT_TRUE(four);
  EXPECT_EQ(room.take(1).error().code, ErrorCode::kOverloaded);
  const ReplyRoom::Lease copy = *four;
  four->reset();
  EXPECT_FALSE(room.take(1)) << "a copy holds it still";
  six->reset();
  EXPECT_TRUE(room.take(6));
  EXPECT_FALSE(room.take(7));
}

TEST(ReplyRoom, AReplyThatIsAloneMayBeLarger) {
  ReplyRoom room(10);
  auto large = room.take(SIZE_MAX);
  ASSERT_TRUE(large);
  EXPECT_FALSE(room.take(1));
  large->reset();
  EXPECT_TRUE(room.take(1));
}

}  // namespace
}  // namespace feilun::gateway
