#include "ledger/state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/ledger_fixture.h"
#include "ledger/sqlite_store.h"

namespace feilun::ledger {
namespace {

using ::testing::SizeIs;

class KnownTable : public ::testing::Test {
 protected:
  KnownTable() {
    begin();
    for (const char* key : {"Ga", "Ha", "Hb", "Ia"}) state_.put(key, key);
    commit();
    state_.forget();
    begin();
    EXPECT_TRUE(state_.know_whole('H'));
  }
  void begin() {
    EXPECT_TRUE(store_->begin(Store::Access::kWrite));
    EXPECT_TRUE(state_.begin());
  }
  void commit() {
    EXPECT_TRUE(state_.flush());
    EXPECT_TRUE(store_->commit());
  }
  std::string value(std::string_view key) {
    const std::string* found = state_.get(key).value();
    return found == nullptr ? "none" : *found;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Store> store_ = open_sqlite_store(directory_.path() / "ledger.db").value();
  State state_{*store_};
};

TEST_F(KnownTable, HasTheRowsThatAreThereAndTheStoreIsNotAskedForOthers) {
  // Behind the state's back, which no writer does, to see who answers.
  ASSERT_TRUE(store_->write(std::vector<StateChange>{{"Gb", "new"}, {"Hc", "new"}}));
  EXPECT_EQ(value("Ha"), "Ha");
  EXPECT_EQ(value("Hb"), "Hb");
  EXPECT_EQ(value("Hc"), "none");
  EXPECT_EQ(value("Gb"), "new");
  ASSERT_TRUE(state_.expect({"Hd"}));
  EXPECT_EQ(value("Hd"), "none");
}

TEST_F(KnownTable, FollowsWhatIsPutErasedAndUndone) {
  state_.mark();
  state_.put("Hc", "Hc");
  state_.erase("Ha");
  EXPECT_TRUE(state_.undo());
  EXPECT_EQ(value("Ha"), "Ha");
  EXPECT_EQ(value("Hc"), "none");
  state_.put("Hd", "Hd");
  state_.erase("Hb");
  commit();
  begin();
  EXPECT_EQ(value("Hb"), "none");
  EXPECT_EQ(value("Hd"), "Hd");
  state_.forget();
  EXPECT_EQ(value("Hb"), "none");
  EXPECT_EQ(value("Hd"), "Hd");
}

TEST_F(KnownTable, IsAskedForAnewOnceItIsForgotten) {
  ASSERT_TRUE(store_->write(std::vector<StateChange>{{"Hc", "new"}}));
  EXPECT_EQ(value("Hc"), "none");
  state_.forget();
  EXPECT_EQ(value("Hc"), "new");
}

TEST_F(KnownTable, OfMoreRowsThanAFewIsNotKept) {
  state_.forget();
  std::vector<std::string> keys;
  for (int i = 0; i < 10'000; ++i) keys.push_back("J" + std::to_string(i + 10'000));
  for (const std::string& key : keys) state_.put(key, "x");
  ASSERT_TRUE(state_.flush());
  ASSERT_TRUE(state_.know_whole('J'));
  ASSERT_TRUE(store_->write(std::vector<StateChange>{{"Jz", "new"}}));
  EXPECT_EQ(value("Jz"), "new");
  EXPECT_THAT(state_.scan("J", 20'000).value(), SizeIs(10'001));
}

}  // namespace
}  // namespace feilun::ledger
