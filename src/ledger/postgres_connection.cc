#include "ledger/postgres_connection.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace feilun::ledger {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kVersionMin = 150000;
constexpr milliseconds kSessionLimit = std::chrono::seconds(5);
constexpr milliseconds kLookUp{100};  ///< from waiting, to see whether there is a hurry now

std::string one_line(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  std::string line(text);
  std::ranges::replace(line, '\n', ' ');
  return line;
}

/// What an error of the server means, by its SQLSTATE.
ErrorCode code_of(std::string_view state) {
  const auto is = [state](auto... prefixes) { return (state.starts_with(prefixes) || ...); };
  // Broken connections; too little room; interventions and shutdowns; locks; serialization; standing still;
  // a server that is a standby now.
  if (is("08", "53", "57", "55P03", "40", "25P03", "25006")) return ErrorCode::kUnavailable;
  if (is("42501", "28")) return ErrorCode::kPermissionDenied;
  if (is("XX001", "XX002", "22", "23", "42")) return ErrorCode::kCorrupt;
  return ErrorCode::kIo;
}

Error error_of(const PGresult* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  if (state == nullptr) state = "08000";
  return fail(code_of(state), "the ledger's PostgreSQL: {} ({})",
              message == nullptr ? one_line(PQresultErrorMessage(result)) : one_line(message), state)
      .error();
}

}  // namespace

void PostgresParameters::append(uint64_t value, int width) {
  for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) {
    bytes_.push_back(static_cast<char>(value >> shift));
  }
}

void PostgresParameters::append_sized(std::string_view value) {
  append(value.size(), 4);
  bytes_.append(value);
}

void PostgresParameters::begin_array(uint32_t type, size_t size) {
  begin();
  append(size == 0 ? 0 : 1, 4);  // dimensions
  append(0, 4);                  // no NULL among them
  append(type, 4);
  if (size == 0) return;
  append(size, 4);
  append(1, 4);  // the first index
}

PostgresParameters& PostgresParameters::number(int64_t value) {
  begin();
  append(static_cast<uint64_t>(value), 8);
  return *this;
}

PostgresParameters& PostgresParameters::bytes(std::string_view value) {
  begin();
  bytes_.append(value);
  return *this;
}

Result<int64_t> PostgresRows::number(int row, int column) const {
  const std::string_view stored = bytes(row, column);
  if (stored.size() != 8) return fail(ErrorCode::kCorrupt, "the ledger's database: a number is not a number");
  uint64_t value = 0;
  for (const char byte : stored) value = value << 8 | static_cast<uint8_t>(byte);
  return static_cast<int64_t>(value);
}

std::string_view PostgresRows::bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<size_t>(PQgetlength(result_.get(), row, column))};
}

Result<Hash> PostgresRows::hash(int row, int column) const {
  const std::string_view stored = bytes(row, column);
  Hash hash;
  if (stored.size() != hash.size()) {
    return fail(ErrorCode::kCorrupt, "the ledger's database: a hash is not {} bytes", hash.size());
  }
  std::ranges::copy(stored, hash.begin());
  return hash;
}

int64_t PostgresRows::affected() const {
  return std::strtoll(PQcmdTuples(result_.get()), nullptr, 10);
}

Result<> PostgresConnection::open(const std::string& url, const PostgresOptions& options) {
  TRY(connect(url, options));
  if (auto ready = set_up_session(options); !ready) {
    close();
    return ready;
  }
  return {};
}

Result<> PostgresConnection::connect(const std::string& url, const PostgresOptions& options) {
  fell_silent_ = false;
  if (steady_clock::now() >= ends_.load()) return lost("there is no time for another");
  // libpq's own words about a malformed URL would show its password.
  PQconninfoOption* parsed = PQconninfoParse(url.c_str(), nullptr);
  PQconninfoFree(parsed);
  if (parsed == nullptr) {
    return fail(ErrorCode::kInvalidArgument,
                "the ledger's URL is not postgres://user:password@host:port/database");
  }
  const std::string timeout = std::to_string(std::max<int64_t>(2, options.connect_timeout.count()));
  // What stands before dbname, which is the URL, is a default; what stands behind it is not.
  const std::array keys = {"connect_timeout",
                           "keepalives_idle",
                           "keepalives_interval",
                           "keepalives_count",
                           "tcp_user_timeout",
                           "target_session_attrs",
                           "dbname",
                           "fallback_application_name",
                           "client_encoding",
                           static_cast<const char*>(nullptr)};
  const std::array values = {
      timeout.c_str(), "5",         "2",      "3",    "10000",
      "read-write",    url.c_str(), "feilun", "UTF8", static_cast<const char*>(nullptr)};
  connection_.reset(PQconnectdbParams(keys.data(), values.data(), 1));
  PGconn* connection = connection_.get();
  if (connection == nullptr || PQstatus(connection) != CONNECTION_OK) {
    const std::string why = connection == nullptr ? "no memory" : PQerrorMessage(connection);
    close();
    return fail(ErrorCode::kUnavailable, "the ledger's PostgreSQL cannot be reached: {}", one_line(why));
  }
  PQsetNoticeProcessor(connection, [](void*, const char*) {}, nullptr);
  if (PQsetnonblocking(connection, 1) != 0 || PQenterPipelineMode(connection) != 1) {
    return lost(PQerrorMessage(connection));
  }
  return {};
}

Result<> PostgresConnection::set_up_session(const PostgresOptions& options) {
  // Every statement goes by a primary key: plans are made once, and never of a scan that statistics from
  // when a table was small would suggest.
  static constexpr char kSetUp[] = R"(SELECT
      set_config('search_path', quote_ident($1::text), false),
      set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                 WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false),
      set_config('lock_timeout', $2::text, false),
      set_config('statement_timeout', $3::text, false),
      set_config('idle_in_transaction_session_timeout', $4::text, false),
      set_config('tcp_keepalives_idle', '5', false),
      set_config('tcp_keepalives_interval', '2', false),
      set_config('tcp_keepalives_count', '3', false),
      set_config('default_transaction_isolation', 'read committed', false),
      set_config('plan_cache_mode', 'force_generic_plan', false),
      set_config('enable_seqscan', 'off', false),
      set_config('jit', 'off', false),
      current_setting('fsync'))";
  if (PQserverVersion(connection_.get()) < kVersionMin) {
    return fail(ErrorCode::kUnsupported, "the ledger needs PostgreSQL {} or newer", kVersionMin / 10000);
  }
  const auto text = [](milliseconds limit) { return std::to_string(std::max<int64_t>(1, limit.count())); };
  PostgresParameters parameters;
  parameters.bytes(options.schema).bytes(text(options.lock_wait));
  parameters.bytes(text(options.transaction_limit)).bytes(text(options.idle_limit));
  const PostgresRows settings = TRY(run(kSetUp, parameters, kSessionLimit));
  if (settings.bytes(0, 12) != "on") {
    return fail(ErrorCode::kUnsupported,
                "the ledger's PostgreSQL runs with fsync=off: what it calls written may be lost");
  }
  return {};
}

void PostgresConnection::send(const char* sql, const PostgresParameters& parameters) {
  send(PostgresStatement{nullptr, sql}, parameters);
}

void PostgresConnection::prepare(const PostgresStatement& statement) {
  if (is_open()) PQsendPrepare(connection_.get(), statement.name, statement.sql, 0, nullptr);
}

void PostgresConnection::send(const PostgresStatement& statement, const PostgresParameters& parameters) {
  if (!is_open()) return;
  const size_t count = parameters.starts_.size();
  std::vector<const char*> values(count);
  std::vector<int> sizes(count);
  const std::vector<int> formats(count, 1);
  for (size_t i = 0; i < count; ++i) {
    const size_t start = parameters.starts_[i];
    const size_t end = i + 1 < count ? parameters.starts_[i + 1] : parameters.bytes_.size();
    values[i] = parameters.bytes_.data() + start;
    sizes[i] = static_cast<int>(end - start);
  }
  PGconn* connection = connection_.get();
  const int sent = statement.name == nullptr
                       ? PQsendQueryParams(connection, statement.sql, static_cast<int>(count), nullptr,
                                           values.data(), sizes.data(), formats.data(), 1)
                       : PQsendQueryPrepared(connection, statement.name, static_cast<int>(count),
                                             values.data(), sizes.data(), formats.data(), 1);
  // An answer would be missing, and those that follow would be taken for it.
  if (sent != 1) lost(PQerrorMessage(connection));
}

Result<> PostgresConnection::wait_for_result(milliseconds limit) {
  PGconn* connection = connection_.get();
  Deadline deadline = steady_clock::now() + limit;
  for (;;) {
    // A failed flush is no reason to stop reading: why the server hung up may lie in its last words.
    const int unsent = PQflush(connection);
    if (PQisBusy(connection) == 0) return {};
    const auto left = std::chrono::ceil<milliseconds>(std::min(deadline, ends_.load()) - steady_clock::now());
    if (left.count() <= 0) {
      fell_silent_ = true;
      return lost("it does not answer");
    }
    pollfd socket = {.fd = PQsocket(connection), .events = POLLIN};
    if (unsent > 0) socket.events |= POLLOUT;
    poll(&socket, 1, static_cast<int>(std::min(left, kLookUp).count()));
    if ((socket.revents & ~POLLOUT) == 0) continue;
    if (PQconsumeInput(connection) == 0) return lost(PQerrorMessage(connection));
    deadline = steady_clock::now() + limit;
  }
}

Result<std::vector<PostgresRows>> PostgresConnection::receive(milliseconds limit) {
  if (!is_open()) return lost("the connection broke");
  PGconn* connection = connection_.get();
  if (PQpipelineSync(connection) != 1) return lost(PQerrorMessage(connection));
  std::vector<PostgresRows> answers;
  std::optional<Error> error;
  bool between_statements = false;
  for (;;) {
    if (auto waited = wait_for_result(limit); !waited) {
      if (error) waited.error().message = error->message;
      return std::unexpected(waited.error());
    }
    PGresult* result = PQgetResult(connection);
    if (result == nullptr) {
      // One nothing ends a statement's results; a second says that no more will come.
      if (between_statements) return lost(error ? error->message : PQerrorMessage(connection));
      between_statements = true;
      continue;
    }
    between_statements = false;
    PostgresRows rows(result);
    switch (PQresultStatus(result)) {
      case PGRES_TUPLES_OK:
      case PGRES_COMMAND_OK:
        answers.push_back(std::move(rows));
        break;
      case PGRES_PIPELINE_SYNC:
        if (error) return std::unexpected(*std::move(error));
        return answers;
      case PGRES_PIPELINE_ABORTED:
        break;
      default:
        if (!error) error = error_of(result);
    }
  }
}

Result<PostgresRows> PostgresConnection::run(const char* sql, const PostgresParameters& parameters,
                                             milliseconds limit) {
  send(sql, parameters);
  std::vector<PostgresRows> answers = TRY(receive(limit));
  return std::move(answers.back());
}

std::unexpected<Error> PostgresConnection::lost(std::string_view why) {
  auto error =
      fail(ErrorCode::kUnavailable, "the connection to the ledger's PostgreSQL is lost: {}", one_line(why));
  close();
  return error;
}

}  // namespace feilun::ledger
