#include "apps/first_start.h"

#include <gtest/gtest.h>

#include "base/temporary_directory.h"
#include "ledger/ledger.h"

namespace feilun::apps {
namespace {

class FirstStartTest : public testing::Test {
 protected:
  void SetUp() override { ledger_ = ledger::Ledger::open({.directory = directory_.path()}).value(); }
  TemporaryDirectory directory_;
  std::unique_ptr<ledger::Ledger> ledger_;
  Settings settings_;
};

TEST_F(FirstStartTest, MakesKeysAndCreditsTheDemoMoneyOnce) {
  const auto keys = prepare_first_start(*ledger_, settings_).value();
  ASSERT_TRUE(keys);
  EXPECT_EQ(ledger_->authenticate(keys->admin).value().role, ledger::KeyRole::kAdmin);
  EXPECT_EQ(keys->balance.available().to_string(), "10.00");
  EXPECT_FALSE(prepare_first_start(*ledger_, settings_).value());
  EXPECT_EQ(ledger_->balance("default").value().available().to_string(), "10.00");
}

TEST_F(FirstStartTest, LaterStartsNeverCreditDemoMoney) {
  settings_.demo_money = "0";
  ASSERT_TRUE(prepare_first_start(*ledger_, settings_).value());
  settings_.demo_money = "5";
  EXPECT_FALSE(prepare_first_start(*ledger_, settings_).value());
  EXPECT_TRUE(ledger_->balance("default").value().available().is_zero());
}

TEST_F(FirstStartTest, ADefaultPriceNeverReplacesOne) {
  ledger::PriceVersion price;
  price.offering = "m";
  price.currency = "CNY";
  price.rows = pricing::flat_rows({.output = Money::pico(7)});
  price.effective_from = SystemClock().wall();
  ASSERT_TRUE(ledger_->set_price(price));
  ASSERT_TRUE(publish_missing_prices(*ledger_, settings_, {"m", "other"}));
  const WallTime now = SystemClock().wall();
  EXPECT_EQ(ledger_->price_at("m", "CNY", now).value().rows[0].units.output, Money::pico(7));
  EXPECT_EQ(ledger_->price_at("other", "CNY", now).value().rows[0].units.output, Money::pico(600'000));
}

}  // namespace
}  // namespace feilun::apps
