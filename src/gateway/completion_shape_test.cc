#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/reply_shape.h"
#include "gateway/scripted_world.h"

namespace feilun::gateway {
namespace {

using ::testing::HasSubstr;

/// Token 1 is "a", 2 and 3 are the halves of "é", 4 is "飞" without its last byte, 5 is that byte.
class HalvesDeployment final : public testing::ScriptedDeployment {
 public:
  std::string_view token_bytes(engine::TokenId id) const override {
    constexpr std::string_view kBytes[] = {"", "a", "\xC3", "\xA9", "\xE9\xA3", "\x9E"};
    return kBytes[id];
  }
};

TEST(CompletionShape, OffsetsCountACodePointOfSeveralTokensOnce) {
  const HalvesDeployment deployment;
  const auto shape = make_completion_shape({.model = "m", .top_logprobs = 0}, deployment);
  ChoiceText choice{.text =
                        "a\xC3\xA9\xE9\xA3\x9E"
                        "a"};
  for (const engine::TokenId id : {1, 2, 3, 4, 5, 1}) choice.tokens.push_back({.id = id});
  EXPECT_THAT(shape->whole({choice}, {}), HasSubstr(R"("text_offset":[0,1,1,2,2,3])"));
}

}  // namespace
}  // namespace feilun::gateway
