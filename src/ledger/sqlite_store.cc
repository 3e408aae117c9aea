#include "ledger/sqlite_store.h"

#include <chrono>
#include <thread>

#include "ledger/limits.h"
#include "ledger/sqlite_query.h"
#include "ledger/sqlite_schema.h"

// WAL gives readers a snapshot beside the one writer; synchronous=FULL makes COMMIT return only after the log
// is on the disk. Checkpoints are run here and not by SQLite, because SQLite ignores a checkpoint's failed
// fsync, and after one of those nothing more may be promised.

namespace feilun::ledger {
namespace {

constexpr int kCheckpointPages = 1000;
constexpr int kOpenAttempts = 500;

class SqliteStore final : public Store {
 public:
  Result<> open(const std::filesystem::path& path, std::chrono::milliseconds busy_timeout);

  Result<> begin(Access access) override {
    return run(access == Access::kWrite ? "BEGIN IMMEDIATE" : "BEGIN");
  }
  Result<> commit() override;
  void rollback() override { sqlite3_exec(connection_.handle(), "ROLLBACK", nullptr, nullptr, nullptr); }
  Result<> maintain() override;
  const std::optional<Error>& failure() const override { return connection_.failure(); }
  void abandon() override {
    sqlite3_db_config(connection_.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  }

  Result<ChainHead> head() override;
  Result<std::optional<Hash>> hash_at(int64_t sequence) override;
  Result<> append(const JournalRow& row) override;

  Result<Money> account(std::string_view name, std::string_view currency) override;
  Result<> put_account(std::string_view name, std::string_view currency, Money balance) override;

  Result<std::optional<Project>> project(std::string_view name_or_id) override;
  Result<std::vector<Project>> projects() override;
  Result<> insert_project(const Project& project) override;

  Result<std::optional<Key>> key(std::string_view id) override;
  Result<std::vector<Key>> keys(std::string_view project_id) override;
  Result<std::vector<KeyRow>> keys_changed_after(int64_t sequence) override;
  Result<> insert_key(const KeyRow& row) override;
  Result<> revoke_key(std::string_view id, WallTime at, int64_t sequence) override;

  Result<std::optional<PriceVersion>> price(int64_t id) override;
  Result<std::optional<PriceVersion>> price_at(std::string_view offering, std::string_view currency,
                                               WallTime at) override;
  Result<WallTime> next_price_from(std::string_view offering, std::string_view currency,
                                   WallTime at) override;
  Result<int64_t> last_price_id() override;
  Result<> insert_price(const PriceVersion& price) override;
  Result<> end_price(int64_t id, WallTime until) override;

  Result<std::optional<OpenHold>> open_hold(std::string_view request_id) override;
  Result<std::vector<OpenHold>> open_holds(int64_t limit) override;
  Result<> insert_open_hold(const OpenHold& hold) override;
  Result<> update_open_hold(const OpenHold& hold) override;
  Result<> delete_open_hold(std::string_view request_id) override;
  Result<bool> has_ended(std::string_view request_id) override;
  Result<> insert_ended(std::string_view request_id, int64_t sequence) override;

  Result<std::optional<CreditRow>> credit(std::string_view idempotency_key) override;
  Result<> insert_credit(const CreditRow& row) override;

  Result<UsageTotals> usage(std::string_view project_id) override;
  Result<> put_usage(std::string_view project_id, const UsageTotals& totals) override;

 private:
  SqliteQuery query(const char* sql) { return SqliteQuery(connection_, sql); }
  Result<> run(const char* sql) { return query(sql).run(); }
  Result<int64_t> pragma(const char* sql);
  Result<> switch_to_wal();
  Result<> create_tables();
  Result<> check_application();

  SqliteConnection connection_;
  int wal_pages_ = 0;
};

Result<> SqliteStore::open(const std::filesystem::path& path, std::chrono::milliseconds busy_timeout) {
  if (auto opened = connection_.open(path.string(), busy_timeout); !opened) return opened;
  TRY(switch_to_wal());
  for (const char* sql :
       {"PRAGMA synchronous=FULL", "PRAGMA wal_autocheckpoint=0", "PRAGMA cache_size=-65536",
        "PRAGMA temp_store=MEMORY", "PRAGMA trusted_schema=OFF"}) {
    TRY(connection_.execute(sql));
  }
  sqlite3_wal_hook(
      connection_.handle(),
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<SqliteStore*>(self)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      this);
  if (TRY(pragma("PRAGMA user_version")) == kSqliteFormat) return check_application();
  TRY(begin(Access::kWrite));
  auto ready = create_tables();
  if (ready) ready = commit();
  if (!ready) rollback();
  return ready;
}

Result<> SqliteStore::switch_to_wal() {
  // Two processes that make the same new database meet here, where SQLite does not wait for the lock.
  for (int attempt = 0;; ++attempt) {
    auto switched = connection_.execute("PRAGMA journal_mode=WAL");
    if (switched || switched.error().code != ErrorCode::kUnavailable || attempt == kOpenAttempts)
      return switched;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

Result<> SqliteStore::check_application() {
  if (TRY(pragma("PRAGMA application_id")) != kSqliteApplicationId)
    return connection_.corrupt("it is no ledger");
  return {};
}

Result<int64_t> SqliteStore::pragma(const char* sql) {
  auto q = query(sql);
  if (!TRY(q.next())) return connection_.corrupt(sql);
  return q.integer(0);
}

Result<> SqliteStore::create_tables() {
  const int64_t format = TRY(pragma("PRAGMA user_version"));
  const int64_t objects = TRY(pragma("SELECT count(*) FROM sqlite_schema"));
  if (format > kSqliteFormat) {
    return fail(ErrorCode::kUnsupported, "the ledger's format {} is newer than this program's {}", format,
                kSqliteFormat);
  }
  if (format == kSqliteFormat) return check_application();
  if (format != 0 || objects != 0) return connection_.corrupt("it is another program's database");
  for (const SqliteObject& object : kSqliteSchema) TRY(connection_.execute(object.sql));
  TRY(connection_.execute(fmt::format("PRAGMA application_id={}", kSqliteApplicationId).c_str()));
  return connection_.execute(fmt::format("PRAGMA user_version={}", kSqliteFormat).c_str());
}

Result<> SqliteStore::commit() {
  return run("COMMIT");
}

Result<> SqliteStore::maintain() {
  if (wal_pages_ < kCheckpointPages) return {};
  const int code =
      sqlite3_wal_checkpoint_v2(connection_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  wal_pages_ = 0;
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) return connection_.failed(code, "checkpoint");
  return {};
}

Result<ChainHead> SqliteStore::head() {
  auto q = query("SELECT sequence, hash FROM journal ORDER BY sequence DESC LIMIT 1");
  ChainHead head;
  if (!TRY(q.next())) return head;
  head.sequence = TRY(q.integer(0));
  head.hash = TRY(q.hash(1));
  if (head.sequence < 1 || head.sequence >= kUsageTokensMax)
    return connection_.corrupt("the journal's numbering");
  return head;
}

Result<std::optional<Hash>> SqliteStore::hash_at(int64_t sequence) {
  auto q = query("SELECT hash FROM journal WHERE sequence=?");
  if (!TRY(q.bind(sequence).next())) return std::nullopt;
  return TRY(q.hash(0));
}

Result<> SqliteStore::append(const JournalRow& row) {
  auto q = query("INSERT INTO journal (sequence, time, kind, payload, previous, hash) VALUES (?,?,?,?,?,?)");
  q.bind(row.sequence).bind(row.time).bind(static_cast<int64_t>(row.kind)).bind_blob(row.payload);
  return q.bind(row.previous).bind(row.hash).run();
}

Result<Money> SqliteStore::account(std::string_view name, std::string_view currency) {
  auto q = query("SELECT balance FROM accounts WHERE name=? AND currency=?");
  if (!TRY(q.bind(name).bind(currency).next())) return Money();
  return q.amount(0);
}

Result<> SqliteStore::put_account(std::string_view name, std::string_view currency, Money balance) {
  auto q = query("INSERT OR REPLACE INTO accounts (name, currency, balance) VALUES (?,?,?)");
  return q.bind(name).bind(currency).bind(balance).run();
}

Result<Project> project_row(SqliteQuery& q) {
  Project project;
  project.id = TRY(q.text(0));
  project.name = TRY(q.text(1));
  project.organisation = TRY(q.text(2));
  project.currency = TRY(q.text(3));
  return project;
}

Result<std::optional<Project>> SqliteStore::project(std::string_view name_or_id) {
  auto q = query("SELECT id, name, organisation, currency FROM projects WHERE id=?1 OR name=?1");
  if (!TRY(q.bind(name_or_id).next())) return std::nullopt;
  return TRY(project_row(q));
}

Result<std::vector<Project>> SqliteStore::projects() {
  auto q = query("SELECT id, name, organisation, currency FROM projects ORDER BY id");
  std::vector<Project> rows;
  while (TRY(q.next())) rows.push_back(TRY(project_row(q)));
  return rows;
}

Result<> SqliteStore::insert_project(const Project& project) {
  auto q = query("INSERT INTO projects (id, name, organisation, currency) VALUES (?,?,?,?)");
  return q.bind(project.id).bind(project.name).bind(project.organisation).bind(project.currency).run();
}

Result<KeyRow> key_row(SqliteConnection& connection, SqliteQuery& q) {
  KeyRow row;
  row.key.id = TRY(q.text(0));
  row.key.project_id = TRY(q.text(1));
  row.key.name = TRY(q.text(2));
  row.key.hint = TRY(q.text(3));
  const int64_t role = TRY(q.integer(4));
  if (role < 0 || role > 1) return connection.corrupt("a key has a role that does not exist");
  row.key.role = static_cast<KeyRole>(role);
  row.hash = TRY(q.hash(5));
  row.key.created = TRY(q.time(6));
  if (!q.is_null(7)) row.key.revoked = TRY(q.time(7));
  row.changed = TRY(q.integer(8));
  return row;
}

#define KEY_COLUMNS "SELECT id, project, name, hint, role, hash, created, revoked, changed FROM keys "

Result<std::optional<Key>> SqliteStore::key(std::string_view id) {
  auto q = query(KEY_COLUMNS "WHERE id=?");
  if (!TRY(q.bind(id).next())) return std::nullopt;
  return TRY(key_row(connection_, q)).key;
}

Result<std::vector<Key>> SqliteStore::keys(std::string_view project_id) {
  auto q = query(KEY_COLUMNS "WHERE project=? ORDER BY id");
  q.bind(project_id);
  std::vector<Key> rows;
  while (TRY(q.next())) rows.push_back(TRY(key_row(connection_, q)).key);
  return rows;
}

Result<std::vector<KeyRow>> SqliteStore::keys_changed_after(int64_t sequence) {
  auto q = query(KEY_COLUMNS "WHERE changed>? ORDER BY changed");
  q.bind(sequence);
  std::vector<KeyRow> rows;
  while (TRY(q.next())) rows.push_back(TRY(key_row(connection_, q)));
  return rows;
}

Result<> SqliteStore::insert_key(const KeyRow& row) {
  auto q = query(
      "INSERT INTO keys (id, project, name, hint, role, hash, created, revoked, changed) "
      "VALUES (?,?,?,?,?,?,?,NULL,?)");
  q.bind(row.key.id).bind(row.key.project_id).bind(row.key.name).bind(row.key.hint);
  q.bind(static_cast<int64_t>(row.key.role)).bind(row.hash).bind(row.key.created);
  return q.bind(row.changed).run();
}

Result<> SqliteStore::revoke_key(std::string_view id, WallTime at, int64_t sequence) {
  auto q = query("UPDATE keys SET revoked=?, changed=? WHERE id=?");
  return q.bind(at).bind(sequence).bind(id).run();
}

Result<PriceVersion> price_row(SqliteQuery& q) {
  PriceVersion price;
  price.id = TRY(q.integer(0));
  price.offering = TRY(q.text(1));
  price.currency = TRY(q.text(2));
  price.input_fresh = TRY(q.unit_price(3));
  price.cache_read = TRY(q.unit_price(4));
  price.cache_write = TRY(q.unit_price(5));
  price.output = TRY(q.unit_price(6));
  price.reasoning = TRY(q.unit_price(7));
  price.effective_from = TRY(q.time(8));
  price.effective_until = TRY(q.time(9));
  return price;
}

#define PRICE_COLUMNS                                                                        \
  "SELECT id, offering, currency, input_fresh, cache_read, cache_write, output, reasoning, " \
  "effective_from, effective_until FROM prices "

Result<std::optional<PriceVersion>> SqliteStore::price(int64_t id) {
  auto q = query(PRICE_COLUMNS "WHERE id=?");
  if (!TRY(q.bind(id).next())) return std::nullopt;
  return TRY(price_row(q));
}

Result<std::optional<PriceVersion>> SqliteStore::price_at(std::string_view offering,
                                                          std::string_view currency, WallTime at) {
  auto q = query(PRICE_COLUMNS
                 "WHERE offering=?1 AND currency=?2 AND effective_from<=?3 AND effective_until>?3 "
                 "ORDER BY effective_from DESC LIMIT 1");
  if (!TRY(q.bind(offering).bind(currency).bind(at).next())) return std::nullopt;
  return TRY(price_row(q));
}

Result<WallTime> SqliteStore::next_price_from(std::string_view offering, std::string_view currency,
                                              WallTime at) {
  auto q = query(
      "SELECT effective_from FROM prices WHERE offering=? AND currency=? AND effective_from>? "
      "AND effective_until>effective_from ORDER BY effective_from LIMIT 1");
  if (!TRY(q.bind(offering).bind(currency).bind(at).next())) return WallTime::max();
  return q.time(0);
}

Result<int64_t> SqliteStore::last_price_id() {
  auto q = query("SELECT id FROM prices ORDER BY id DESC LIMIT 1");
  if (!TRY(q.next())) return 0;
  return q.tokens(0);
}

Result<> SqliteStore::insert_price(const PriceVersion& price) {
  auto q = query(
      "INSERT INTO prices (id, offering, currency, input_fresh, cache_read, cache_write, output, reasoning, "
      "effective_from, effective_until) VALUES (?,?,?,?,?,?,?,?,?,?)");
  q.bind(price.id).bind(price.offering).bind(price.currency);
  q.bind(price.input_fresh)
      .bind(price.cache_read)
      .bind(price.cache_write)
      .bind(price.output)
      .bind(price.reasoning);
  return q.bind(price.effective_from).bind(price.effective_until).run();
}

Result<> SqliteStore::end_price(int64_t id, WallTime until) {
  return query("UPDATE prices SET effective_until=? WHERE id=?").bind(until).bind(id).run();
}

Result<OpenHold> open_hold_row(SqliteConnection& connection, SqliteQuery& q) {
  OpenHold hold;
  hold.request_id = TRY(q.text(0));
  hold.key_id = TRY(q.text(1));
  hold.project_id = TRY(q.text(2));
  const int64_t tier = TRY(q.integer(3));
  if (tier < 0 || tier > 3) return connection.corrupt("a hold has a tier that does not exist");
  hold.tier = static_cast<ServiceTier>(tier);
  hold.price_id = TRY(q.integer(4));
  hold.input_tokens = TRY(q.tokens(5, kTokensMax));
  hold.output_tokens = TRY(q.tokens(6, kTokensMax));
  hold.held = TRY(q.amount(7));
  hold.mark = TRY(q.usage(8, kTokensMax));
  hold.opened = TRY(q.integer(13));
  return hold;
}

#define OPEN_HOLD_COLUMNS                                                                                   \
  "SELECT request, key, project, tier, price, input_tokens, output_tokens, held, input_fresh, cache_read, " \
  "cache_write, output, reasoning, opened FROM open_holds "

Result<std::optional<OpenHold>> SqliteStore::open_hold(std::string_view request_id) {
  auto q = query(OPEN_HOLD_COLUMNS "WHERE request=?");
  if (!TRY(q.bind(request_id).next())) return std::nullopt;
  return TRY(open_hold_row(connection_, q));
}

Result<std::vector<OpenHold>> SqliteStore::open_holds(int64_t limit) {
  auto q = query(OPEN_HOLD_COLUMNS "ORDER BY request LIMIT ?");
  q.bind(limit);
  std::vector<OpenHold> rows;
  while (TRY(q.next())) rows.push_back(TRY(open_hold_row(connection_, q)));
  return rows;
}

Result<> SqliteStore::insert_open_hold(const OpenHold& hold) {
  auto q = query(
      "INSERT INTO open_holds (request, key, project, tier, price, input_tokens, output_tokens, held, "
      "input_fresh, cache_read, cache_write, output, reasoning, opened) VALUES "
      "(?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  q.bind(hold.request_id).bind(hold.key_id).bind(hold.project_id).bind(static_cast<int64_t>(hold.tier));
  q.bind(hold.price_id).bind(hold.input_tokens).bind(hold.output_tokens).bind(hold.held);
  return q.bind(hold.mark).bind(hold.opened).run();
}

Result<> SqliteStore::update_open_hold(const OpenHold& hold) {
  auto q = query(
      "UPDATE open_holds SET output_tokens=?, held=?, input_fresh=?, cache_read=?, cache_write=?, output=?, "
      "reasoning=? WHERE request=?");
  return q.bind(hold.output_tokens).bind(hold.held).bind(hold.mark).bind(hold.request_id).run();
}

Result<> SqliteStore::delete_open_hold(std::string_view request_id) {
  return query("DELETE FROM open_holds WHERE request=?").bind(request_id).run();
}

Result<bool> SqliteStore::has_ended(std::string_view request_id) {
  return query("SELECT 1 FROM ended WHERE request=?").bind(request_id).next();
}

Result<> SqliteStore::insert_ended(std::string_view request_id, int64_t sequence) {
  return query("INSERT INTO ended (request, sequence) VALUES (?,?)").bind(request_id).bind(sequence).run();
}

Result<std::optional<CreditRow>> SqliteStore::credit(std::string_view idempotency_key) {
  auto q = query("SELECT project, currency, amount, sequence FROM credits WHERE idempotency_key=?");
  if (!TRY(q.bind(idempotency_key).next())) return std::nullopt;
  CreditRow row{.idempotency_key = std::string(idempotency_key)};
  row.project_id = TRY(q.text(0));
  row.currency = TRY(q.text(1));
  row.amount = TRY(q.amount(2));
  row.sequence = TRY(q.integer(3));
  return row;
}

Result<> SqliteStore::insert_credit(const CreditRow& row) {
  auto q =
      query("INSERT INTO credits (idempotency_key, project, currency, amount, sequence) VALUES (?,?,?,?,?)");
  q.bind(row.idempotency_key).bind(row.project_id).bind(row.currency).bind(row.amount);
  return q.bind(row.sequence).run();
}

Result<UsageTotals> SqliteStore::usage(std::string_view project_id) {
  auto q = query(
      "SELECT requests, input_fresh, cache_read, cache_write, output, reasoning, charged FROM usage "
      "WHERE project=?");
  UsageTotals totals;
  if (!TRY(q.bind(project_id).next())) return totals;
  totals.requests = TRY(q.tokens(0));
  totals.usage = TRY(q.usage(1));
  totals.charged = TRY(q.amount(6));
  return totals;
}

Result<> SqliteStore::put_usage(std::string_view project_id, const UsageTotals& totals) {
  auto q = query(
      "INSERT OR REPLACE INTO usage (project, requests, input_fresh, cache_read, cache_write, output, "
      "reasoning, charged) VALUES (?,?,?,?,?,?,?,?)");
  return q.bind(project_id).bind(totals.requests).bind(totals.usage).bind(totals.charged).run();
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& path,
                                                 std::chrono::milliseconds busy_timeout) {
  auto store = std::make_unique<SqliteStore>();
  TRY(store->open(path, busy_timeout));
  return store;
}

}  // namespace feilun::ledger
