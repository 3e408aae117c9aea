#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "ledger/postgres_store.h"
#include "ledger/sqlite_store.h"
#include "ledger/test_postgres.h"

namespace feilun::ledger {

/// The store of the ledger in `directory`, or in the tests' PostgreSQL where there is a schema.
inline std::unique_ptr<Store> open_store(const std::filesystem::path& directory, const std::string& schema) {
  auto store = schema.empty() ? open_sqlite_store(directory / "ledger.db")
                              : open_postgres_store(TestPostgres::server().url(), {.schema = schema});
  EXPECT_TRUE(store) << store.error().message;
  return *std::move(store);
}

}  // namespace feilun::ledger
