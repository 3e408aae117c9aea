#include "ledger/sealing.h"

#include <gmock/gmock.h>

#include <thread>

#include "ledger/ledger_fixture.h"
#include "ledger/test_stores.h"
#include "ledger/writer.h"

namespace feilun::ledger {
namespace {

class SealerTest : public LedgerTest {
 protected:
  void SetUp() override {
    set_up_price();
    credit("100");
    project_ = project_id();
    ledger_.reset();
  }
  std::unique_ptr<Store> open() const { return open_store(directory_.path(), schema_); }
  std::unique_ptr<Writer> open_writer(const SealingOptions& options) {
    return std::make_unique<Writer>(open(), Anchor::open(directory_ / "ledger.anchor").value(), clock_,
                                    std::chrono::microseconds(0), nullptr,
                                    std::make_unique<Sealer>(open(), options));
  }
  /// One request, or nothing but a turn of the writer.
  void serve(Writer& writer, const std::string& id) {
    HoldRequest asked{.request_id = id, .project_id = project_, .offering = "nano", .input_tokens = 10};
    ASSERT_TRUE(wait<Hold>([&](auto done) {
      writer.submit<Hold>([&](Books& books) { return books.hold(asked); }, std::move(done));
    }));
    ASSERT_TRUE(wait<Settlement>([&](auto done) {
      writer.submit<Settlement>(
          [&](Books& books) { return books.settle(id, {.input_fresh = 10}, Outcome::kCompleted); },
          std::move(done));
    }));
  }
  std::vector<Segment> segments() {
    const auto store = open();
    EXPECT_TRUE(store->begin(Store::Access::kRead));
    auto all = store->segments().value();
    store->rollback();
    return all;
  }

  std::string project_;
};

TEST_F(SealerTest, OldEntriesAreSealedBesideTheWriter) {
  auto writer = open_writer({.run = 8, .kept = 4});
  int requests = 0;
  while (segments().size() < 5) serve(*writer, "req_" + std::to_string(requests++));
  writer.reset();
  const auto sealed = segments();
  for (size_t i = 0; i < sealed.size(); ++i) EXPECT_EQ(sealed[i].first, static_cast<int64_t>(i) * 8 + 1);
  EXPECT_LE(sealed.back().last, requests * 2 + 10 - 4);
  expect_verified();
}

TEST_F(SealerTest, ARunThatAnotherGatewaySealedIsLeftAlone) {
  auto writer = open_writer({.run = 8, .kept = 4});
  for (int i = 0; i < 30; ++i) {
    serve(*writer, "req_" + std::to_string(i));
    ASSERT_TRUE(seal_oldest(*open(), {.run = 4, .kept = 4}));
  }
  EXPECT_TRUE(writer->healthy());
  writer.reset();
  expect_verified();
}

TEST_F(SealerTest, WhatWasPackedAndNotSwappedInIsPackedAgain) {
  {
    auto writer = open_writer({.run = 1000, .kept = 1000});
    for (int i = 0; i < 20; ++i) serve(*writer, "req_" + std::to_string(i));
  }
  Sealer sealer(open(), {.run = 8, .kept = 4});
  std::optional<Segment> first;
  while (!first) {
    sealer.look(40);
    first = sealer.take();
    std::this_thread::yield();
  }
  std::optional<Segment> again;
  while (!again) {
    sealer.look(40);
    again = sealer.take();
    std::this_thread::yield();
  }
  EXPECT_EQ(first->first, again->first);
  EXPECT_EQ(first->bytes, again->bytes);
}

}  // namespace
}  // namespace feilun::ledger
