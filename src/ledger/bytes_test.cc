#include "ledger/bytes.h"

#include <gtest/gtest.h>

namespace feilun::ledger {
namespace {

TEST(Bytes, HexadecimalIsReadBackAndNothingElseIs) {
  const Hash hash = blake2b_256("");
  const std::string digits = hex(view(hash));
  EXPECT_EQ(digits, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
  Hash read{};
  EXPECT_TRUE(unhex(digits, read));
  EXPECT_EQ(read, hash);
  EXPECT_EQ(hex(std::string_view("\x00\xff\x7f", 3)), "00ff7f");
  for (const std::string& wrong :
       {digits.substr(2), digits + "00", std::string(64, 'g'), std::string(64, 'A')}) {
    EXPECT_FALSE(unhex(wrong, read)) << wrong;
  }
}

}  // namespace
}  // namespace feilun::ledger
