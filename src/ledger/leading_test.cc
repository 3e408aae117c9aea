#include <gtest/gtest.h>

#include <thread>

#include "ledger/books.h"
#include "ledger/ledger_fixture.h"

// Which of several gateways does what one of them must.

namespace feilun::ledger {
namespace {

bool leads(Ledger& ledger) {
  return ledger.write<bool>([](Books& books) { return books.leads(); }).value_or(false);
}

TEST_F(LedgerTest, WhoServesAloneLeads) {
  EXPECT_TRUE(leads(*ledger_));
}

TEST(LeadingTest, TheOldestGatewayLeadsAndTheNextFollowsIt) {
  SKIP_WITHOUT_POSTGRES();
  const TemporaryDirectory directory;
  LedgerOptions options{.serving = true, .url = TestPostgres::server().url()};
  options.postgres.schema = TestPostgres::server().new_schema();
  options.lease = std::chrono::seconds(1);
  options.directory = directory.path() / "first";
  auto first = Ledger::open(options);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(leads(**first));
  options.directory = directory.path() / "second";
  auto second = Ledger::open(options);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_FALSE(leads(**second));
  EXPECT_TRUE(leads(**first));
  first->reset();
  // Its lease runs out by itself.
  while (!leads(**second)) std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

}  // namespace
}  // namespace feilun::ledger
