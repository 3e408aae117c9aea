#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/postgres_options.h"
#include "ledger/schema_step.h"
#include "ledger/store.h"

/// The ledger in PostgreSQL, version 15 or newer. docs/decisions/006-postgres-takes-turns.md says why it is
/// done in this way.
namespace feilun::ledger {

/// A Store in the database that `url` names (postgres://user:password@host/database), made with its tables
/// when its schema has none. Several may work on one database, in one process or on many machines: their
/// write transactions take turns.
///
/// A connection that is lost is made again by the next begin(): that is kUnavailable and no failure(). When
/// it is lost under commit(), commit() connects again, however long that takes, waits until the server has
/// ended that transaction, and returns what became of it: success, or kUnavailable when nothing of it
/// happened. Only after stop_waiting() may the outcome stay unknown, which is a failure(). A transaction that
/// appended no entry is not looked for: it answers kUnavailable, and doing it again does no harm.
///
/// kInvalidArgument when the URL is none, kUnavailable when the server cannot be reached, kUnsupported when
/// it is too old, does not sync to disk, or holds tables of another format (postgres_migrations()).
Result<std::unique_ptr<Store>> open_postgres_store(std::string url, PostgresOptions options = {});

/// Brings the tables to this program's format, in one transaction, and returns what was done, in order; a
/// dry run changes nothing and returns what would be. kUnsupported when they are newer.
Result<std::vector<SchemaStep>> postgres_migrations(const std::string& url, bool dry_run,
                                                    const PostgresOptions& options = {});

}  // namespace feilun::ledger
