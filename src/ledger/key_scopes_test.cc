#include "ledger/key_scopes.h"

#include <gtest/gtest.h>

namespace feilun::ledger {
namespace {

bool contains(const char* network, const char* address) {
  return Network::parse(network).value().contains(address);
}

TEST(KeyScope, NetworksHoldTheirAddressesAndNoOthers) {
  EXPECT_TRUE(contains("192.0.2.0/24", "192.0.2.0"));
  EXPECT_TRUE(contains("192.0.2.0/24", "192.0.2.255"));
  EXPECT_FALSE(contains("192.0.2.0/24", "192.0.3.0"));
  EXPECT_FALSE(contains("192.0.2.0/24", "192.0.1.255"));
  EXPECT_TRUE(contains("192.0.2.128/25", "192.0.2.128"));
  EXPECT_FALSE(contains("192.0.2.128/25", "192.0.2.127"));
  EXPECT_TRUE(contains("10.1.2.3", "10.1.2.3"));
  EXPECT_FALSE(contains("10.1.2.3", "10.1.2.4"));
  EXPECT_TRUE(contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(contains("0.0.0.0/0", "255.1.2.3"));
  EXPECT_FALSE(contains("0.0.0.0/0", "2001:db8::1"));
}

TEST(KeyScope, AnIpv4ClientOfADualStackSocketIsItself) {
  EXPECT_TRUE(contains("192.0.2.0/24", "::ffff:192.0.2.7"));
  EXPECT_FALSE(contains("192.0.2.0/24", "::192.0.2.7"));
  EXPECT_TRUE(contains("::ffff:192.0.2.0/120", "192.0.2.7"));
}

TEST(KeyScope, WhatIsNoAddressIsNowhere) {
  for (const char* address : {"", "localhost", "1.2.3", "1.2.3.4.5", "1.2.3.4 ", "::g",
                              "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"}) {
    EXPECT_FALSE(contains("::/0", address)) << address;
  }
}

TEST(KeyScope, MalformedNetworksAreRefused) {
  for (const char* text :
       {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0/8", "10.0.0.0/8/8",
        "2001:db8::/129", "10.0.0.1/8", "2001:db8::1/32", "host"}) {
    EXPECT_FALSE(Network::parse(text)) << text;
  }
}

TEST(KeyScope, AnEmptyListAllowsAllOfItsKind) {
  const KeyScope all;
  EXPECT_TRUE(all.check_model("anything"));
  EXPECT_TRUE(all.check_endpoint("/v1/models"));
  EXPECT_TRUE(all.check_address(""));
  const KeyScope some{.models = {"nano", "big-*"},
                      .endpoints = {"/v1/embeddings", "/v1/models*"},
                      .networks = {Network::parse("10.0.0.0/8").value()}};
  EXPECT_TRUE(some.check_model("nano"));
  EXPECT_TRUE(some.check_model("big-7"));
  EXPECT_EQ(some.check_model("nano-2").error().param, "model");
  EXPECT_EQ(some.check_model("big").error().code, ErrorCode::kPermissionDenied);
  EXPECT_TRUE(some.check_endpoint("/v1/models/nano"));
  EXPECT_FALSE(some.check_endpoint("/v1/chat/completions"));
  EXPECT_TRUE(some.check_address("10.255.0.1"));
  EXPECT_FALSE(some.check_address("11.0.0.1"));
  EXPECT_FALSE(some.check_address(""));
}

TEST(KeyScope, EntriesThatNothingCouldMatchAreRefused) {
  EXPECT_FALSE((KeyScope{.models = {"a*b"}}.check()));
  EXPECT_FALSE((KeyScope{.models = {""}}.check()));
  EXPECT_FALSE((KeyScope{.endpoints = {"v1/models"}}.check()));
  EXPECT_FALSE((KeyScope{.models = std::vector<std::string>(65, "a")}.check()));
  EXPECT_TRUE((KeyScope{.models = {"*"}, .endpoints = {"/v1/*"}}.check()));
}

}  // namespace
}  // namespace feilun::ledger
