#include "base/ids.h"

#include <gtest/gtest.h>

namespace feilun {
namespace {

TEST(Ids, AreKnownByTheirForm) {
  const std::string id = new_id("user");
  EXPECT_TRUE(is_id(id, "user"));
  const std::string shorter = id.substr(0, id.size() - 1);
  for (const std::string& other :
       {id + "0", shorter, std::string("user_"), std::string("user"), std::string()}) {
    EXPECT_FALSE(is_id(other, "user")) << other;
  }
  EXPECT_FALSE(is_id(id, "use"));
  EXPECT_FALSE(is_id(id, "key"));
  EXPECT_FALSE(is_id("user_" + std::string(26, 'a'), "user"));
  EXPECT_FALSE(is_id("user_" + std::string(25, '0') + '\0', "user"));
}

}  // namespace
}  // namespace feilun
