#include "compute/isa.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace feilun::compute {
namespace {

class IsaTest : public testing::Test {
 protected:
  void TearDown() override { unsetenv("FEILUN_ISA"); }
};

TEST_F(IsaTest, FollowsTheEnvironmentOrSaysWhyNot) {
  for (const Isa isa : kAllIsas) {
    setenv("FEILUN_ISA", std::string(isa_name(isa)).c_str(), 1);
    const auto chosen = choose_isa();
    if (machine_has(isa)) {
      EXPECT_EQ(chosen.value(), isa);
    } else {
      EXPECT_EQ(chosen.error().code, ErrorCode::kUnsupported);
    }
  }
  setenv("FEILUN_ISA", "sse", 1);
  EXPECT_EQ(choose_isa().error().code, ErrorCode::kInvalidArgument);
}

TEST_F(IsaTest, ChoosesSomethingTheMachineHas) {
  unsetenv("FEILUN_ISA");
  EXPECT_TRUE(machine_has(choose_isa().value()));
}

}  // namespace
}  // namespace feilun::compute
