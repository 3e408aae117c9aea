#include "gateway/client_address.h"

#include <gtest/gtest.h>

namespace feilun::gateway {
namespace {

const auto kTrusted = ledger::parse_networks({"10.0.0.0/8", "2001:db8::/32"}).value();

std::string seen(std::string peer, std::initializer_list<const char*> forwarded) {
  net::Request request{.client_address = std::move(peer)};
  for (const char* value : forwarded) request.headers.add("X-Forwarded-For", value);
  return client_address(request, kTrusted);
}

TEST(ClientAddress, IsThePeersUnlessThatIsATrustedProxy) {
  EXPECT_EQ(seen("192.0.2.7", {}), "192.0.2.7");
  EXPECT_EQ(seen("192.0.2.7", {"203.0.113.9"}), "192.0.2.7");
  EXPECT_EQ(seen("", {"203.0.113.9"}), "");
  EXPECT_EQ(seen("10.0.0.1", {}), "10.0.0.1");
  EXPECT_EQ(seen("10.0.0.1", {"203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(seen("::ffff:10.0.0.1", {"203.0.113.9"}), "203.0.113.9");
}

TEST(ClientAddress, WhatTheClientWroteItselfDoesNotCount) {
  EXPECT_EQ(seen("10.0.0.1", {"198.51.100.1, 203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(seen("10.0.0.1", {"198.51.100.1", "203.0.113.9,10.1.1.1"}), "203.0.113.9");
  EXPECT_EQ(seen("10.0.0.1", {"203.0.113.9, 10.0.0.3,\t10.0.0.2"}), "203.0.113.9");
}

TEST(ClientAddress, PortsAndBracketsAreLeftOut) {
  EXPECT_EQ(seen("10.0.0.1", {"203.0.113.9:443"}), "203.0.113.9");
  EXPECT_EQ(seen("10.0.0.1", {"[2001:dead::1]:443"}), "2001:dead::1");
  EXPECT_EQ(seen("10.0.0.1", {"2001:dead::1"}), "2001:dead::1");
}

TEST(ClientAddress, WhatIsNoAddressIsInNoRange) {
  for (const char* text : {"unknown", "[", "[]", ":", "10.0.0.1.2", "203.0.113.9 x"}) {
    const std::string address = seen("10.0.0.1", {text});
    for (const auto& network : ledger::parse_networks({"0.0.0.0/0", "::/0"}).value()) {
      EXPECT_FALSE(network.contains(address)) << text;
    }
  }
}

TEST(ClientAddress, WhereAllAreProxiesTheFirstIsTheClient) {
  EXPECT_EQ(seen("10.0.0.1", {"10.0.0.9, 10.0.0.8"}), "10.0.0.9");
}

}  // namespace
}  // namespace feilun::gateway
