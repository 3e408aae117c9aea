#include "ledger/idempotency.h"

#include "ledger/books.h"
#include "ledger/chores.h"
#include "ledger/ledger_fixture.h"

namespace feilun::ledger {
namespace {

using Phase = ClaimHolder::Phase;

class IdempotencyTest : public LedgerTest {
 protected:
  void SetUp() override {
    set_up_price();
    credit("1.00");
  }
  HoldRequest claiming(std::string id, std::string key = "order-7", std::string_view body = "{}") {
    HoldRequest asked = request(std::move(id), 100, 10);
    asked.claim = Claim{std::move(key), blake2b_256(body)};
    return asked;
  }
  std::optional<ClaimHolder> holder(const std::string& key = "order-7") {
    return ledger_
        ->read<std::optional<ClaimHolder>>(
            [&](State& state) { return find_claim(state, "key_test", key, clock_.wall()); })
        .value();
  }
  void keep(const std::string& request_id, const KeptReply& reply, const std::string& key = "order-7") {
    ASSERT_TRUE(ledger_->write<void>([&](Books& books) {
      return keep_reply(books.state(), "key_test", key, request_id, reply, clock_.wall());
    }));
  }
  int64_t kept() {
    return ledger_
        ->read<int64_t>([](State& state) -> Result<int64_t> { return std::ssize(TRY(state.scan("Y", 100))); })
        .value();
  }
  void serve(const std::string& id, const std::string& key = "order-7") {
    ASSERT_TRUE(ledger_->hold_now(claiming(id, key)));
    ASSERT_TRUE(ledger_->settle_now(id, {.input_fresh = 100, .output = 3}, Outcome::kCompleted));
  }
};

TEST_F(IdempotencyTest, AClaimIsHeldFromTheHoldOnAndForEverOnceCharged) {
  EXPECT_FALSE(holder());
  ASSERT_TRUE(ledger_->hold_now(claiming("req_1")));
  EXPECT_EQ(holder()->phase, Phase::kRunning);
  EXPECT_EQ(holder()->body, blake2b_256("{}"));
  const auto second = ledger_->hold_now(claiming("req_2"));
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  EXPECT_EQ(second.error().param, "idempotency-key");
  ASSERT_TRUE(ledger_->settle_now("req_1", {.input_fresh = 100, .output = 3}, Outcome::kCompleted));
  EXPECT_EQ(holder()->phase, Phase::kCharged);
  clock_.advance(std::chrono::hours(24 * 400));
  EXPECT_EQ(ledger_->hold_now(claiming("req_3")).error().code, ErrorCode::kConflict);
  EXPECT_EQ(holder()->request_id, "req_1");
  expect_verified();
}

TEST_F(IdempotencyTest, ARequestThatEndedWithoutAChargeGivesItsClaimFree) {
  ASSERT_TRUE(ledger_->hold_now(claiming("req_1")));
  ASSERT_TRUE(
      wait<Settlement>([&](auto done) { ledger_->release("req_1", Outcome::kFailed, std::move(done)); }));
  EXPECT_FALSE(holder());
  serve("req_2");
  EXPECT_EQ(holder()->request_id, "req_2");
  expect_verified();
}

TEST_F(IdempotencyTest, ClaimsOfTwoKeysHaveNothingToDoWithEachOther) {
  ASSERT_TRUE(ledger_->hold_now(claiming("req_1")));
  HoldRequest other = claiming("req_2");
  other.key_id = "key_other";
  EXPECT_TRUE(ledger_->hold_now(other));
  EXPECT_TRUE(ledger_->hold_now(claiming("req_3", "order-8")));
  expect_verified();
}

TEST_F(IdempotencyTest, AClaimSurvivesACrashWithItsRequest) {
  ASSERT_TRUE(ledger_->hold_now(claiming("req_1")));
  ASSERT_TRUE(wait<TokenUsage>(
      [&](auto done) { ledger_->mark("req_1", {.input_fresh = 100, .output = 1}, std::move(done)); }));
  reopen();
  EXPECT_EQ(holder()->phase, Phase::kCharged);
  EXPECT_FALSE(holder()->reply);
  EXPECT_EQ(ledger_->hold_now(claiming("req_2")).error().code, ErrorCode::kConflict);
  expect_verified();
}

TEST_F(IdempotencyTest, AReplyIsKeptForADayAndThenForgotten) {
  serve("req_1");
  const std::string long_text(100'000, 'a');
  keep("req_1", {.events = true, .body = long_text});
  clock_.advance(kReplyKeptFor - std::chrono::milliseconds(1));
  reopen();
  ASSERT_TRUE(holder()->reply);
  EXPECT_TRUE(holder()->reply->events);
  EXPECT_EQ(holder()->reply->body, long_text);
  expect_verified();
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_FALSE(holder()->reply);
  const auto forget = [&] {
    return ledger_
        ->write<int64_t>([&](Books& books) { return forget_old_replies(books.state(), clock_.wall(), 9); })
        .value();
  };
  EXPECT_EQ(forget(), 0);
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_EQ(forget(), 1);
  EXPECT_EQ(forget(), 0);
  EXPECT_EQ(holder()->request_id, "req_1");
  expect_verified();
}

TEST_F(IdempotencyTest, RepliesThatAreTooLongOrOfAnotherRequestAreNotKept) {
  serve("req_1");
  keep("req_1", {.body = std::string(kReplyBytesMax + 1, 'a')});
  EXPECT_FALSE(holder()->reply);
  keep("req_2", {.body = "{}"});
  EXPECT_FALSE(holder()->reply);
  keep("req_1", {.body = ""});
  EXPECT_EQ(holder()->reply->body, "");
}

TEST_F(IdempotencyTest, KeepingAReplyForgetsOldOnes) {
  for (int i = 0; i < 5; ++i) {
    serve("req_" + std::to_string(i), "order-" + std::to_string(i));
    keep("req_" + std::to_string(i), {.body = "{}"}, "order-" + std::to_string(i));
  }
  clock_.advance(kReplyKeptFor + std::chrono::seconds(1));
  serve("req_9");
  keep("req_9", {.body = "{}"});
  const auto kept = ledger_->read<int64_t>(
      [](State& state) -> Result<int64_t> { return std::ssize(TRY(state.scan("Y", 100))); });
  EXPECT_EQ(kept.value(), 1);
}

}  // namespace
}  // namespace feilun::ledger
