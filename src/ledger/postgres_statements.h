#pragma once

#include "ledger/postgres_connection.h"

// All that a store in PostgreSQL says to its server, but for what makes its tables (postgres_schema.h).

namespace feilun::ledger {

inline constexpr PostgresStatement kBegin{"begin", "BEGIN"};
inline constexpr PostgresStatement kBeginReading{"begin_reading",
                                                 "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"};
// A reader that thinks between its questions holds nobody up.
inline constexpr PostgresStatement kReaderMayIdle{"reader_may_idle",
                                                  "SET LOCAL idle_in_transaction_session_timeout = '10min'"};
inline constexpr PostgresStatement kLock{"lock", "SELECT pg_advisory_xact_lock($1)"};
inline constexpr PostgresStatement kHead{
    "head",
    "SELECT m.format, j.sequence, j.hash FROM (SELECT max(number) AS format FROM migrations) m "
    "LEFT JOIN LATERAL (SELECT sequence, hash FROM journal ORDER BY sequence DESC LIMIT 1) j ON true"};
inline constexpr PostgresStatement kCommit{"commit", "COMMIT"};
inline constexpr PostgresStatement kRollback{"rollback", "ROLLBACK"};
inline constexpr PostgresStatement kAppend{
    "append",
    "INSERT INTO journal SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[])"};
inline constexpr PostgresStatement kEntries{
    "entries",
    "SELECT sequence, time, payload, hash FROM journal WHERE sequence > $1 ORDER BY sequence LIMIT $2"};
inline constexpr PostgresStatement kSegments{
    "segments", "SELECT first, last, hash, (bytes IS NULL)::int::bigint FROM segments ORDER BY first"};
inline constexpr PostgresStatement kSegmentAt{
    "segment_at",
    "SELECT first, last, hash, (bytes IS NULL)::int::bigint FROM segments WHERE first <= $1 "
    "ORDER BY first DESC LIMIT 1"};
inline constexpr PostgresStatement kSegmentBytes{"segment_bytes",
                                                 "SELECT bytes FROM segments WHERE first = $1"};
inline constexpr PostgresStatement kUnchain{"unchain",
                                            "DELETE FROM journal WHERE sequence BETWEEN $1 AND $2"};
inline constexpr PostgresStatement kSeal{"seal", "INSERT INTO segments VALUES ($1, $2, $3, $4)"};
inline constexpr PostgresStatement kArchive{"archive", "UPDATE segments SET bytes = NULL WHERE first = $1"};
inline constexpr PostgresStatement kGet{"get", "SELECT value FROM state WHERE key = $1"};
inline constexpr PostgresStatement kGetAll{"get_all",
                                           "SELECT key, value FROM state WHERE key = ANY($1::bytea[])"};
inline constexpr PostgresStatement kScan{
    "scan", "SELECT key, value FROM state WHERE key >= $1 AND key < $2 ORDER BY key LIMIT $3"};
inline constexpr PostgresStatement kPut{"put",
                                        "INSERT INTO state SELECT * FROM unnest($1::bytea[], $2::bytea[]) "
                                        "ON CONFLICT (key) DO UPDATE SET value = excluded.value"};
inline constexpr PostgresStatement kErase{"erase", "DELETE FROM state WHERE key = ANY($1::bytea[])"};
inline constexpr PostgresStatement kTakeLease{
    "take_lease",
    "INSERT INTO leases VALUES ($1, clock_timestamp() + $2::bigint * interval '1 millisecond')"};
inline constexpr PostgresStatement kRenewLease{
    "renew_lease",
    "UPDATE leases SET until = clock_timestamp() + $2::bigint * interval '1 millisecond' WHERE name = $1"};
inline constexpr PostgresStatement kEndLease{"end_lease", "DELETE FROM leases WHERE name = $1"};
inline constexpr PostgresStatement kEndLapsed{"end_lapsed",
                                              "DELETE FROM leases WHERE until <= clock_timestamp()"};
inline constexpr PostgresStatement kLeases{"leases", "SELECT name FROM leases ORDER BY name"};
inline constexpr PostgresStatement kLeadingLease{
    "leading_lease", "SELECT name FROM leases WHERE until > clock_timestamp() ORDER BY name LIMIT 1"};

inline constexpr PostgresStatement kStatements[] = {
    kTakeLease,    kRenewLease,    kEndLease,     kEndLapsed, kLeases,   kLeadingLease, kBegin,
    kBeginReading, kReaderMayIdle, kLock,         kHead,      kCommit,   kRollback,     kAppend,
    kEntries,      kSegments,      kSegmentBytes, kUnchain,   kSeal,     kArchive,      kGet,
    kGetAll,       kScan,          kPut,          kErase,     kSegmentAt};

// Whoever holds the lock beyond every limit is ended. The server ends by itself what idles in a transaction,
// but not a program that stood still while it sent a statement: to the server that looks like a slow network.
inline constexpr char kEvict[] =
    R"(SELECT count(pg_terminate_backend(pid)) FROM pg_locks JOIN pg_stat_activity a USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND (classid::bigint << 32 | objid::bigint) = $1::bigint
      AND a.datname = current_database() AND a.usename = current_user
      AND a.xact_start < clock_timestamp() - $2::bigint * interval '1 millisecond')";

}  // namespace feilun::ledger
