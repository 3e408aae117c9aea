#include "ledger/ledger_fixture.h"
#include "pricing/machine_cost.h"

namespace feilun::ledger {
namespace {

class LedgerCostTest : public LedgerTest {
 protected:
  void SetUp() override {
    set_up_price();
    credit("10");
  }
  static RequestCost cost(std::chrono::nanoseconds attributed, Money money) {
    return {.attributed = attributed,
            .saved = std::chrono::milliseconds(3),
            .kv_byte_seconds = 1'234'567,
            .cost_model = 42,
            .currency = "CNY",
            .per_hour = yuan("0.50"),
            .cost = money};
  }
  Result<Settlement> settle(const std::string& id, RequestCost cost) {
    EXPECT_TRUE(ledger_->hold_now(request(id)));
    return wait<Settlement>([&](auto done) {
      ledger_->settle(id, {.input_fresh = 100, .output = 10}, Outcome::kCompleted, std::move(cost),
                      std::move(done));
    });
  }
};

TEST_F(LedgerCostTest, TellsTheCostBesideTheCharge) {
  pricing::MachineCost machine({.per_hour = yuan("0.50"), .currency = "CNY"});
  for (int i = 0; i < 50; ++i) {
    const std::chrono::nanoseconds time(7'777'777 * i + 1);
    const auto settled = settle("r" + std::to_string(i), cost(time, machine.accrue(time)));
    ASSERT_TRUE(settled) << settled.error().message;
    EXPECT_EQ(settled->charged, Money::pico(100 * 300'000 + 10 * 600'000)) << "the charge is the same";
  }
  expect_verified();
  reopen();
  expect_verified();
}

TEST_F(LedgerCostTest, RefusesACostThatIsNotItsTime) {
  const std::chrono::nanoseconds hour = std::chrono::hours(1);
  for (const char* wrong : {"0.51", "0.49", "0.500000000001", "0.499999999999", "-0.50"}) {
    EXPECT_FALSE(settle(wrong, cost(hour, yuan(wrong)))) << wrong;
  }
  RequestCost negative = cost(std::chrono::nanoseconds(-1), Money());
  EXPECT_FALSE(settle("negative", negative));
  RequestCost nowhere = cost(hour, yuan("0.50"));
  nowhere.currency = "yuan";
  EXPECT_FALSE(settle("nowhere", nowhere));
  EXPECT_TRUE(settle("right", cost(hour, yuan("0.50"))));
  expect_verified();
}

}  // namespace
}  // namespace feilun::ledger
