#pragma once

#include <libpq-fe.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "batch.h"
#include "ledger/bytes.h"

namespace feilun::ledger {

/// The statements alone, prepared, in one pipeline a group, on tables like the ledger's in a schema of their
/// own: no lock, no look at the journal's head, nothing of the ledger's code.
class RawPostgres {
 public:
  explicit RawPostgres(const std::string& url) : connection_(PQconnectdb(url.c_str())) {
    CHECK(PQstatus(connection_) == CONNECTION_OK);
    run("CREATE SCHEMA raw");
    run("SET search_path = raw");
    run("CREATE TABLE journal (sequence bigint PRIMARY KEY, time bigint NOT NULL, payload bytea NOT NULL, "
        "hash bytea NOT NULL)");
    run("CREATE TABLE state (key bytea PRIMARY KEY, value bytea NOT NULL) "
        "WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)");
    prepare("append",
            "INSERT INTO journal SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[])");
    prepare("put",
            "INSERT INTO state SELECT * FROM unnest($1::bytea[], $2::bytea[]) "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value");
    prepare("erase", "DELETE FROM state WHERE key = ANY($1::bytea[])");
    prepare("begin", "BEGIN");
    prepare("commit", "COMMIT");
    CHECK(PQenterPipelineMode(connection_) == 1);
  }
  ~RawPostgres() { PQfinish(connection_); }
  RawPostgres(const RawPostgres&) = delete;
  RawPostgres& operator=(const RawPostgres&) = delete;

  void write(const Batch& batch) {
    Array sequences(kBigint), times(kBigint), payloads(kBytea), hashes(kBytea);
    for (const JournalRow& row : batch.entries) {
      sequences.number(row.sequence);
      times.number(row.time.time_since_epoch().count());
      payloads.bytes(row.payload);
      hashes.bytes(view(row.hash));
    }
    Array keys(kBytea), values(kBytea), erased(kBytea);
    for (const Batch::Change& change : batch.changes) {
      (change.value ? keys : erased).bytes(change.key);
      if (change.value) values.bytes(*change.value);
    }
    send("begin", {});
    send("append", {&sequences, &times, &payloads, &hashes});
    send("put", {&keys, &values});
    if (!erased.empty()) send("erase", {&erased});
    send("commit", {});
    CHECK(PQpipelineSync(connection_) == 1);
    // A statement's results end with a null pointer; the pipeline's, with the synchronisation's.
    for (bool open = true; open;) {
      PGresult* result = PQgetResult(connection_);
      if (result == nullptr) continue;
      const ExecStatusType status = PQresultStatus(result);
      CHECK(status == PGRES_COMMAND_OK || status == PGRES_PIPELINE_SYNC);
      open = status != PGRES_PIPELINE_SYNC;
      PQclear(result);
    }
  }

 private:
  static constexpr uint32_t kBigint = 20;
  static constexpr uint32_t kBytea = 17;

  /// One array in the binary format: dimensions, nulls, type, size, lower bound, and its elements, each after
  /// its length.
  class Array {
   public:
    explicit Array(uint32_t type) {
      for (const uint32_t field : {1U, 0U, type, 0U, 1U}) append(field, 4);
    }
    void number(int64_t value) {
      grow(8);
      append(static_cast<uint64_t>(value), 8);
    }
    void bytes(std::string_view value) {
      grow(value.size());
      bytes_ += value;
    }
    bool empty() const { return size_ == 0; }
    const std::string& take() {
      for (int i = 0; i < 4; ++i)
        bytes_[static_cast<size_t>(12 + i)] = static_cast<char>(size_ >> (24 - 8 * i));
      return bytes_;
    }

   private:
    void grow(size_t length) {
      ++size_;
      append(length, 4);
    }
    void append(uint64_t value, int width) {
      for (int i = width - 1; i >= 0; --i) bytes_ += static_cast<char>(value >> (8 * i));
    }
    uint32_t size_ = 0;
    std::string bytes_;
  };

  void run(const char* sql) {
    PGresult* result = PQexec(connection_, sql);
    CHECK(PQresultStatus(result) == PGRES_COMMAND_OK);
    PQclear(result);
  }
  void prepare(const char* name, const char* sql) {
    PGresult* result = PQprepare(connection_, name, sql, 0, nullptr);
    CHECK(PQresultStatus(result) == PGRES_COMMAND_OK);
    PQclear(result);
  }
  void send(const char* name, const std::vector<Array*>& parameters) {
    std::vector<const char*> values;
    std::vector<int> lengths;
    const std::vector<int> binary(parameters.size(), 1);
    for (Array* parameter : parameters) {
      values.push_back(parameter->take().data());
      lengths.push_back(static_cast<int>(parameter->take().size()));
    }
    CHECK(PQsendQueryPrepared(connection_, name, static_cast<int>(parameters.size()), values.data(),
                              lengths.data(), binary.data(), 0) == 1);
  }

  PGconn* connection_;
};

}  // namespace feilun::ledger
