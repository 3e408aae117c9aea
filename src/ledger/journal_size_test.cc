#include <gtest/gtest.h>

#include <random>

#include "base/ids.h"
#include "ledger/books.h"
#include "ledger/ledger_fixture.h"
#include "ledger/sealing.h"
#include "ledger/sqlite_query.h"
#include "ledger/test_stores.h"

// What a request takes of the disk for ever.

namespace feilun::ledger {
namespace {

constexpr int kRequests = 50'000;
constexpr int kAtOnce = 1000;
constexpr int kKeys = 20;
constexpr TokenCount kMarkInterval = 32;
constexpr int64_t kBytesMax = 150;

class JournalSize : public LedgerTest {
 protected:
  /// Requests of several keys, spread over a month, with ids and marks as the gateway makes them.
  void serve_all() {
    std::vector<std::string> keys;
    for (int i = 0; i < kKeys; ++i) keys.push_back(new_id("key"));
    const std::string project = project_id();
    for (int begun = 0; begun < kRequests; begun += kAtOnce) {
      const auto served = ledger_->write<bool>([&](Books& books) -> Result<bool> {
        for (int i = begun; i < begun + kAtOnce; ++i) TRY(serve(books, project, keys[i % kKeys]));
        return true;
      });
      ASSERT_TRUE(served) << served.error().message;
      clock_.advance(std::chrono::hours(31 * 24) * kAtOnce / kRequests);
    }
  }
  Result<> serve(Books& books, const std::string& project, const std::string& key) {
    HoldRequest asked{.request_id = new_id("req"), .key_id = key, .project_id = project, .offering = "nano"};
    asked.input_tokens = below(1000);
    TRY(books.hold(asked));
    const TokenCount cached = below(asked.input_tokens + 1);
    const TokenUsage usage{
        .input_fresh = asked.input_tokens - cached, .cache_read = cached, .output = below(257)};
    TokenUsage marked = usage;
    for (marked.output = kMarkInterval; marked.output < usage.output; marked.output += kMarkInterval) {
      TRY(books.mark(asked.request_id, marked));
    }
    TRY(books.settle(asked.request_id, usage, Outcome::kCompleted));
    return {};
  }
  void seal_all() {
    const auto store = open_store(directory_.path(), schema_);
    while (seal_oldest(*store, {.run = SealingOptions().run, .kept = 0}).value()) {
    }
  }
  /// Of the pages in use: what sealing frees is written again.
  int64_t bytes() {
    SqliteConnection connection;
    EXPECT_TRUE(connection.open((directory_.path() / "ledger.db").string(), std::chrono::seconds(1)));
    SqliteQuery query(connection,
                      "SELECT (page_count - freelist_count) * page_size"
                      " FROM pragma_page_count, pragma_freelist_count, pragma_page_size");
    EXPECT_TRUE(query.next().value());
    return query.integer(0).value();
  }

 private:
  TokenCount below(TokenCount bound) { return static_cast<TokenCount>(random_()) % bound; }

  std::mt19937 random_;
};

TEST_F(JournalSize, AMillionSealedRequestsFitIn150Megabytes) {
  set_up_price();
  credit("1000");
  serve_all();
  ledger_.reset();
  seal_all();
  const int64_t each = bytes() / kRequests;
  RecordProperty("bytes", each);
  EXPECT_LE(each, kBytesMax);
  EXPECT_GT(each, 0);
}

}  // namespace
}  // namespace feilun::ledger
