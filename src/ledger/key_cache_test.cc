#include "ledger/key_cache.h"

#include <gtest/gtest.h>

#include "ledger/ledger_fixture.h"

namespace feilun::ledger {
namespace {

using std::chrono::milliseconds;

TEST_F(LedgerTest, KeysAreShownOnceAndFound) {
  const NewKey made = ledger_->create_key("default", "laptop", KeyRole::kProject).value();
  EXPECT_TRUE(made.secret.starts_with("sk-fl-"));
  EXPECT_GE(made.secret.size(), 46u);
  const Key found = ledger_->authenticate(made.secret).value();
  EXPECT_EQ(found.id, made.key.id);
  EXPECT_EQ(found.project_id, project_id());
  const auto listed = ledger_->keys("default").value();
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].hint, made.key.hint);
  EXPECT_LT(listed[0].hint.size(), 16u);
  const NewKey admin = ledger_->create_key("default", "root", KeyRole::kAdmin).value();
  EXPECT_TRUE(admin.secret.starts_with("sk-fl-admin-"));
  EXPECT_EQ(ledger_->authenticate(admin.secret)->role, KeyRole::kAdmin);
  EXPECT_EQ(ledger_->create_key("nowhere", "", KeyRole::kProject).error().code, ErrorCode::kNotFound);
  expect_verified();
}

TEST_F(LedgerTest, UnknownMalformedAndRevokedKeysAreRefused) {
  const NewKey made = ledger_->create_key("default", "", KeyRole::kProject).value();
  for (std::string secret :
       {std::string(), std::string("x"), std::string("sk-fl-"), made.secret + "x", made.secret.substr(1),
        std::string("sk-fl-\0abc", 10), "sk-fl-" + std::string(10'000, 'a')}) {
    EXPECT_EQ(ledger_->authenticate(secret).error().code, ErrorCode::kUnauthorized);
  }
  ASSERT_TRUE(ledger_->revoke_key(made.key.id));
  EXPECT_EQ(ledger_->authenticate(made.secret).error().code, ErrorCode::kUnauthorized);
  EXPECT_TRUE(ledger_->revoke_key(made.key.id));
  EXPECT_EQ(ledger_->revoke_key("key_none").error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(ledger_->keys("default").value()[0].revoked.has_value());
  expect_verified();
}

TEST_F(LedgerTest, KeysOfAnotherProcessWorkAtOnceAndEndWithinASecond) {
  ASSERT_FALSE(ledger_->authenticate("sk-fl-nobody"));
  const auto tool = Ledger::open(options(/*serving=*/false)).value();
  const NewKey made = tool->create_key("default", "", KeyRole::kProject).value();
  EXPECT_TRUE(ledger_->authenticate(made.secret));
  ASSERT_TRUE(tool->revoke_key(made.key.id));
  clock_.advance(milliseconds(999));
  EXPECT_EQ(ledger_->authenticate(made.secret).error().code, ErrorCode::kUnauthorized);
}

TEST(KeyCache, GuessingCostsNoReads) {
  ManualClock clock;
  int reads = 0;
  KeyCache cache(
      [&](int64_t) -> Result<KeyChanges> {
        ++reads;
        return KeyChanges();
      },
      clock);
  for (int i = 0; i < 10'000; ++i) EXPECT_FALSE(cache.find("sk-fl-guess" + std::to_string(i)));
  EXPECT_LE(reads, 21);
  reads = 0;
  clock.advance(milliseconds(100));
  for (int i = 0; i < 10'000; ++i) EXPECT_FALSE(cache.find("sk-fl-guess" + std::to_string(i)));
  EXPECT_GE(reads, 1);
  EXPECT_LE(reads, 3);
}

TEST(KeyCache, KnownKeysSurviveAStoreThatCannotBeRead) {
  ManualClock clock;
  bool away = false;
  KeyRow row{.key = {.id = "key_1"}, .hash = blake2b_256("sk-fl-known"), .changed = 3};
  KeyCache cache(
      [&](int64_t after) -> Result<KeyChanges> {
        if (away) return fail(ErrorCode::kIo, "away");
        return after < 3 ? KeyChanges{.keys = {row}, .seen = 3} : KeyChanges{.seen = after};
      },
      clock);
  EXPECT_EQ(cache.find("sk-fl-known")->id, "key_1");
  away = true;
  clock.advance(std::chrono::seconds(5));
  EXPECT_EQ(cache.find("sk-fl-known")->id, "key_1");
}

}  // namespace
}  // namespace feilun::ledger
