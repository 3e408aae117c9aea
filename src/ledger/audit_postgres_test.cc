#include <libpq-fe.h>

#include <chrono>
#include <future>
#include <memory>
#include <random>
#include <thread>

#include "ledger/lived_ledger.h"
#include "ledger/postgres_connection.h"
#include "ledger/postgres_store.h"
#include "ledger/sealing.h"

// What the auditor finds in a damaged ledger in PostgreSQL; verify_test.cc does the same to files.

namespace feilun::ledger {
namespace {

class AuditPostgres : public LedgerTest {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_POSTGRES();
    move_to_postgres(/*serving=*/false);
    set_up_price();
    LivedLedger(*ledger_, clock_).live();
    ledger_.reset();
    connection_.reset(PQconnectdb(TestPostgres::server().url().c_str()));
    sql("SET search_path = " + schema_);
    entries_ = std::stoll(sql("SELECT max(sequence) FROM journal"));
    ASSERT_TRUE(problems().empty()) << problems()[0];
  }

  /// The first value.
  std::string sql(const std::string& text) {
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection_.get(), text.c_str()),
                                                               &PQclear);
    const auto status = PQresultStatus(result.get());
    EXPECT_TRUE(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        << PQresultErrorMessage(result.get());
    return PQntuples(result.get()) == 0 ? "" : PQgetvalue(result.get(), 0, 0);
  }
  std::vector<std::string> problems() {
    const audit::Place place{
        .directory = directory_.path(), .url = TestPostgres::server().url(), .schema = schema_};
    const auto report = audit::verify(place);
    EXPECT_TRUE(report) << report.error().message;
    return report ? report->findings() : std::vector<std::string>();
  }
  /// Does the damage, expects it to be found, and undoes it.
  void expect_found(const std::string& what, const std::string& damage) {
    sql("CREATE TABLE kept_journal AS TABLE journal; CREATE TABLE kept_state AS TABLE state;");
    sql(damage);
    EXPECT_FALSE(problems().empty()) << what;
    sql("TRUNCATE journal; INSERT INTO journal TABLE kept_journal; DROP TABLE kept_journal;"
        "TRUNCATE state; INSERT INTO state TABLE kept_state; DROP TABLE kept_state;");
  }
  int64_t below(int64_t bound) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(bound)); }

  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_{nullptr, &PQfinish};
  int64_t entries_ = 0;
  std::mt19937_64 random_{11};
};

TEST_F(AuditPostgres, FindsAnySingleByteThatWasChanged) {
  for (const auto& [table, key, column] :
       {std::tuple("journal", "sequence", "payload"), std::tuple("journal", "sequence", "hash"),
        std::tuple("state", "key", "value"), std::tuple("state", "key", "key")}) {
    for (int i = 0; i < 25; ++i) {
      const std::string row = fmt::format(
          "{0} = (SELECT {0} FROM {1} WHERE length({2}) > 0 ORDER BY {0} LIMIT 1 OFFSET {3})", key, table,
          column,
          below(std::stoll(sql(fmt::format("SELECT count(*) FROM {} WHERE length({}) > 0", table, column)))));
      const int64_t at =
          below(std::stoll(sql(fmt::format("SELECT length({}) FROM {} WHERE {}", column, table, row))));
      const int64_t mask = 1 + below(255);
      expect_found(fmt::format("{}.{} byte {} of the row where {}", table, column, at, row),
                   fmt::format("UPDATE {0} SET {1} = set_byte({1}, {2}, get_byte({1}, {2}) # {3}) WHERE {4}",
                               table, column, at, mask, row));
    }
  }
}

TEST_F(AuditPostgres, FindsDeletedSwappedAndDuplicatedEntries) {
  for (int i = 0; i < 102; ++i) {
    const int64_t a = 1 + below(entries_);
    int64_t b = a;
    while (b == a) b = 1 + below(entries_);
    const std::string swap = fmt::format(
        "UPDATE journal j SET time = k.time, payload = k.payload, hash = k.hash FROM kept_journal k "
        "WHERE (j.sequence, k.sequence) IN (({0}, {1}), ({1}, {0}))",
        a, b);
    const std::string duplicate =
        fmt::format("INSERT INTO journal SELECT {}, time, payload, hash FROM journal WHERE sequence = {}",
                    entries_ + 1, a);
    const std::string remove = fmt::format("DELETE FROM journal WHERE sequence = {}", a);
    expect_found(fmt::format("{} {}", a, b), i % 3 == 0 ? swap : i % 3 == 1 ? duplicate : remove);
  }
}

TEST_F(AuditPostgres, FindsLostAndInventedRowsOfTheState) {
  for (int i = 0; i < 40; ++i) {
    const std::string row = fmt::format("(SELECT key FROM state ORDER BY key LIMIT 1 OFFSET {})",
                                        below(std::stoll(sql("SELECT count(*) FROM state"))));
    expect_found(row, i % 2 == 0
                          ? "DELETE FROM state WHERE key = " + row
                          : "INSERT INTO state SELECT key || '\\x00', value FROM state WHERE key = " + row);
  }
}

TEST_F(AuditPostgres, FindsAnySingleByteOfASealedSegmentThatWasChanged) {
  PostgresOptions options;
  options.schema = schema_;
  const auto store = open_postgres_store(TestPostgres::server().url(), options).value();
  while (seal_oldest(*store, {.run = 8, .kept = 8}).value()) {
  }
  const int64_t segments = std::stoll(sql("SELECT count(*) FROM segments"));
  ASSERT_GE(segments, 3);
  for (int i = 0; i < 40; ++i) {
    const std::string one =
        fmt::format("first = (SELECT first FROM segments ORDER BY first LIMIT 1 OFFSET {})", i % segments);
    const int64_t at = below(std::stoll(sql("SELECT length(bytes) FROM segments WHERE " + one)));
    const std::string flip =
        fmt::format("UPDATE segments SET bytes = set_byte(bytes, {0}, get_byte(bytes, {0}) # {1}) WHERE {2}",
                    at, 1 + below(255), one);
    sql(flip);
    EXPECT_FALSE(problems().empty()) << "byte " << at << " where " << one;
    sql(flip);
  }
  EXPECT_TRUE(problems().empty());
}

TEST_F(AuditPostgres, FindsATruncatedTail) {
  for (int64_t cut = 1; cut < entries_; ++cut) {
    expect_found("cut", fmt::format("DELETE FROM journal WHERE sequence > {}", entries_ - cut));
  }
}

TEST_F(AuditPostgres, ARepairWaitsForAConnectionThatIsEnding) {
  const audit::Place place{
      .directory = directory_.path(), .url = TestPostgres::server().url(), .schema = schema_};
  PostgresConnection gateway;
  ASSERT_TRUE(gateway.open(place.url, options().postgres));
  EXPECT_EQ(audit::rebuild(place, /*dry_run=*/false).error().code, ErrorCode::kConflict);
  const auto closing = std::async(std::launch::async, [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    gateway.close();
  });
  const auto rebuilt = audit::rebuild(place, /*dry_run=*/false);
  EXPECT_TRUE(rebuilt) << rebuilt.error().message;
}

}  // namespace
}  // namespace feilun::ledger
