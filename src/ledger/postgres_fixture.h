#pragma once

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <memory>
#include <string>
#include <vector>

#include "ledger/postgres_store.h"
#include "ledger/test_postgres.h"

namespace feilun::ledger {

/// A schema of its own on the tests' PostgreSQL server.
class PostgresTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_POSTGRES();
    options_.schema = server().new_schema();
    // A busy machine lets a test wait between two lines.
    options_.lock_wait = options_.idle_limit = options_.transaction_limit = std::chrono::minutes(1);
  }

  static TestPostgres& server() { return TestPostgres::server(); }

  std::unique_ptr<Store> open() { return open(server().url()); }
  std::unique_ptr<Store> open(const std::string& url) {
    auto opened = open_postgres_store(url, options_);
    if (!opened) ADD_FAILURE() << opened.error().message;
    return opened ? *std::move(opened) : nullptr;
  }

  /// Runs SQL behind the store's back; returns the first value.
  std::string sql(const std::string& text) {
    const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(server().url().c_str()),
                                                                  &PQfinish);
    const auto execute = [&connection](const std::string& command) {
      return std::unique_ptr<PGresult, decltype(&PQclear)>(PQexec(connection.get(), command.c_str()),
                                                           &PQclear);
    };
    execute("SET search_path = " + options_.schema);
    const auto result = execute(text);
    const bool done =
        PQresultStatus(result.get()) == PGRES_TUPLES_OK || PQresultStatus(result.get()) == PGRES_COMMAND_OK;
    EXPECT_TRUE(done) << PQresultErrorMessage(result.get());
    return PQntuples(result.get()) == 0 ? "" : PQgetvalue(result.get(), 0, 0);
  }

  /// In the store's open transaction.
  static void append_one(Store& store, const std::string& payload) {
    const JournalRow row = chain(store.head().value(), WallTime(), payload);
    ASSERT_TRUE(store.append({&row, 1}));
    ASSERT_TRUE(store.write(std::vector<StateChange>{{"last", payload}}));
  }
  static Result<> write_one(Store& store, const std::string& payload) {
    if (auto begun = store.begin(Store::Access::kWrite); !begun) return begun;
    append_one(store, payload);
    return store.commit();
  }
  /// All payloads, in order, and the state's last one.
  static std::vector<std::string> written(Store& store) {
    std::vector<std::string> payloads;
    const auto begun = store.begin(Store::Access::kRead);
    if (!begun) {
      ADD_FAILURE() << begun.error().message;
      return payloads;
    }
    const auto entries = store.entries(0, 1000).value();
    for (const JournalRow& entry : entries) payloads.push_back(entry.payload);
    EXPECT_EQ(store.get("last").value().value_or(""), payloads.empty() ? "" : payloads.back());
    EXPECT_TRUE(store.commit());
    return payloads;
  }

  PostgresOptions options_;
};

}  // namespace feilun::ledger
