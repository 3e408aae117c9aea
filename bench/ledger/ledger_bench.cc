// Pairs of hold and settle a second, durable before they are answered, as N clients ask for them who each
// wait for their answers; and beside it the same bytes written by statements alone.
//
//   ledger_bench ours   DIRECTORY|URL CLIENTS PAIRS [BEFORE]   the ledger; BEFORE pairs are journalled first
//   ledger_bench raw    DIRECTORY|URL CLIENTS PAIRS            what the ledger writes for them, group by
//   group,
//                                                              recorded first, with no rules in the way
//
// Prints one line of JSON.
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <latch>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/ids.h"
#include "ledger/anchor.h"
#include "ledger/postgres_store.h"
#include "ledger/sqlite_store.h"
#include "ledger/writer.h"

namespace feilun::ledger {
namespace {

using Steady = std::chrono::steady_clock;

constexpr TokenCount kInput = 900;
constexpr TokenCount kOutput = 250;

double microseconds(Steady::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return double(time.tv_sec) + double(time.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// What one group writes.
struct Batch {
  std::vector<JournalRow> entries;
  std::vector<StateChange> changes;
};

/// A Store that also remembers what is written through it.
class RecordingStore final : public Store {
 public:
  RecordingStore(std::unique_ptr<Store> store, std::vector<Batch>& batches)
      : store_(std::move(store)), batches_(batches) {}

  Result<> begin(Access access) override { return store_->begin(access); }
  Result<> commit() override {
    batches_.push_back(std::exchange(batch_, {}));
    return store_->commit();
  }
  void rollback() override { store_->rollback(); }
  Result<> maintain() override { return store_->maintain(); }
  const std::optional<Error>& failure() const override { return store_->failure(); }
  void abandon() override { store_->abandon(); }
  Result<ChainHead> head() override { return store_->head(); }
  Result<std::vector<JournalRow>> entries(int64_t after, int64_t limit) override {
    return store_->entries(after, limit);
  }
  Result<> append(std::span<const JournalRow> rows) override {
    batch_.entries.assign(rows.begin(), rows.end());
    return store_->append(rows);
  }
  Result<std::vector<Segment>> segments() override { return store_->segments(); }
  Result<std::string> segment_bytes(int64_t first) override { return store_->segment_bytes(first); }
  Result<> seal(const Segment& segment) override { return store_->seal(segment); }
  Result<> archive_segment(int64_t first) override { return store_->archive_segment(first); }
  Result<std::optional<std::string>> get(std::string_view key) override { return store_->get(key); }
  Result<std::vector<StateRow>> get_all(std::span<const std::string> keys) override {
    return store_->get_all(keys);
  }
  Result<std::vector<StateRow>> scan(std::string_view from, std::string_view until, int64_t limit) override {
    return store_->scan(from, until, limit);
  }
  Result<> write(std::span<const StateChange> changes) override {
    batch_.changes.assign(changes.begin(), changes.end());
    return store_->write(changes);
  }

 private:
  std::unique_ptr<Store> store_;
  std::vector<Batch>& batches_;
  Batch batch_;
};

std::unique_ptr<Store> open_store(const std::string& place) {
  auto store = place.starts_with("postgres") ? open_postgres_store(place)
                                             : open_sqlite_store(std::filesystem::path(place) / "ledger.db");
  CHECK(store.has_value());
  return *std::move(store);
}

/// Clients who hold, settle, and begin again, until so many pairs are done.
class Load {
 public:
  Load(Writer& writer, std::string project, int64_t pairs, int clients)
      : writer_(writer), project_(std::move(project)), left_(pairs), running_(clients), clients_(clients) {
    hold_times_.reserve(static_cast<size_t>(pairs));
  }

  void run() {
    for (int i = 0; i < clients_; ++i) next();
    running_.wait();
  }
  /// In ascending order.
  std::vector<double> hold_times() {
    std::ranges::sort(hold_times_);
    return hold_times_;
  }

 private:
  // After the first round all of this happens on the writer's thread; before it, next() only submits.
  void next() {
    if (left_.fetch_sub(1) <= 0) return running_.count_down();
    const std::string id = new_id("req");
    HoldRequest asked{.request_id = id, .key_id = "key_0123456789ABCDEFGHJKMNPQRS", .project_id = project_};
    asked.offering = "nano";
    asked.input_tokens = kInput;
    const auto start = Steady::now();
    writer_.submit<Hold>([asked](Books& books) { return books.hold(asked); },
                         [this, id, start](Result<Hold> hold) {
                           CHECK(hold.has_value());
                           hold_times_.push_back(microseconds(Steady::now() - start));
                           settle(id);
                         },
                         Writer::WhenLocked::kFail, request_keys(id));
  }
  void settle(const std::string& id) {
    const TokenUsage usage{.input_fresh = kInput - 400, .cache_read = 400, .output = kOutput};
    writer_.submit<Settlement>(
        [id, usage](Books& books) { return books.settle(id, usage, Outcome::kCompleted); },
        [this](Result<Settlement> settled) {
          CHECK(settled.has_value());
          next();
        });
  }

  Writer& writer_;
  std::string project_;
  std::atomic<int64_t> left_;
  std::latch running_;
  int clients_;
  std::vector<double> hold_times_;
};

template <typename T>
Result<T> wait(Writer& writer, Writer::Act<T> act) {
  std::promise<Result<T>> promise;
  auto result = promise.get_future();
  writer.submit<T>(std::move(act), [&](Result<T> done) { promise.set_value(std::move(done)); });
  return result.get();
}

/// A project with money and a price; returns its id.
std::string set_up(Writer& writer) {
  auto project = wait<Project>(writer, [](Books& books) -> Result<Project> {
    PriceVersion price{.offering = "nano", .currency = "CNY"};
    const Money input = Money::pico(300'000);
    const Money output = Money::pico(600'000);
    price.rows = pricing::flat_rows({input, Money::pico(60'000), input, output, output});
    TRY(books.set_price(price));
    const Project made = TRY(books.create_project(new_id("bench"), "CNY"));
    TRY(books.credit(made.id, Money::parse("1000000").value(), "CNY", "", ""));
    return made;
  });
  CHECK(project.has_value());
  return project->id;
}

std::unique_ptr<Writer> open_writer(std::unique_ptr<Store> store, const std::string& directory) {
  static const SystemClock clock;
  auto anchor = Anchor::open(std::filesystem::path(directory) / (new_id("anchor")));
  CHECK(anchor.has_value());
  return std::make_unique<Writer>(std::move(store), *std::move(anchor), clock,
                                  std::chrono::microseconds(500));
}

std::string anchor_directory(const std::string& place) {
  return place.starts_with("postgres") ? std::filesystem::temp_directory_path().string() : place;
}

void measure_ours(const std::string& place, int clients, int64_t pairs, int64_t before) {
  auto writer = open_writer(open_store(place), anchor_directory(place));
  const std::string project = set_up(*writer);
  if (before > 0) Load(*writer, project, before, 500).run();
  Load load(*writer, project, pairs, clients);
  const double processor = processor_seconds();
  const auto start = Steady::now();
  load.run();
  const double seconds = microseconds(Steady::now() - start) / 1e6;
  const auto times = load.hold_times();
  fmt::print(
      "{{\"pairs_per_second\":{:.0f},\"hold_median_us\":{:.0f},\"hold_p99_us\":{:.0f},\"cpu_us\":{:.2f}}}\n",
      double(pairs) / seconds, times[times.size() / 2], times[times.size() * 99 / 100],
      (processor_seconds() - processor) * 1e6 / double(pairs));
}

/// The statements alone, prepared, on a connection set as the ledger's is.
class RawSqlite {
 public:
  explicit RawSqlite(const std::string& path) {
    CHECK(sqlite3_open(path.c_str(), &db_) == SQLITE_OK);
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    run("PRAGMA wal_autocheckpoint=1000");
    run("PRAGMA cache_size=-65536");
    run("CREATE TABLE journal (sequence INTEGER PRIMARY KEY, time INTEGER, payload BLOB, hash BLOB)");
    run("CREATE TABLE state (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID");
    entry_ = prepare("INSERT INTO journal VALUES (?,?,?,?)");
    put_ = prepare("INSERT OR REPLACE INTO state VALUES (?,?)");
    erase_ = prepare("DELETE FROM state WHERE key=?");
  }

  void write(const Batch& batch) {
    run("BEGIN IMMEDIATE");
    for (const JournalRow& row : batch.entries) {
      sqlite3_bind_int64(entry_, 1, row.sequence);
      sqlite3_bind_int64(entry_, 2, row.time.time_since_epoch().count());
      bind(entry_, 3, row.payload);
      bind(entry_, 4, view(row.hash));
      step(entry_);
    }
    for (const StateChange& change : batch.changes) {
      sqlite3_stmt* statement = change.value ? put_ : erase_;
      bind(statement, 1, change.key);
      if (change.value) bind(statement, 2, *change.value);
      step(statement);
    }
    run("COMMIT");
  }

 private:
  void run(const char* sql) { CHECK(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK); }
  sqlite3_stmt* prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    CHECK(sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr) == SQLITE_OK);
    return statement;
  }
  static void bind(sqlite3_stmt* statement, int place, std::string_view bytes) {
    sqlite3_bind_blob64(statement, place, bytes.data() == nullptr ? "" : bytes.data(), bytes.size(),
                        SQLITE_STATIC);
  }
  static void step(sqlite3_stmt* statement) {
    CHECK(sqlite3_step(statement) == SQLITE_DONE);
    sqlite3_reset(statement);
  }

  sqlite3* db_ = nullptr;
  sqlite3_stmt* entry_ = nullptr;
  sqlite3_stmt* put_ = nullptr;
  sqlite3_stmt* erase_ = nullptr;
};

std::vector<Batch> recorded(const std::string& place, int clients, int64_t pairs) {
  std::vector<Batch> batches;
  auto writer =
      open_writer(std::make_unique<RecordingStore>(open_store(place), batches), anchor_directory(place));
  const std::string project = set_up(*writer);
  writer->stop();
  batches.clear();
  writer = open_writer(std::make_unique<RecordingStore>(open_store(place), batches), anchor_directory(place));
  Load(*writer, project, pairs, clients).run();
  writer->stop();
  return batches;
}

void measure_raw(const std::string& place, int clients, int64_t pairs) {
  const bool postgres = place.starts_with("postgres");
  const std::string scratch = postgres ? "" : place + "/recorded";
  if (!postgres) std::filesystem::create_directories(scratch);
  std::vector<Batch> batches = recorded(postgres ? place : scratch, clients, pairs);
  std::vector<double> times;
  const auto write_all = [&](auto&& write) {
    const auto start = Steady::now();
    for (const Batch& batch : batches) {
      const auto begun = Steady::now();
      write(batch);
      times.push_back(microseconds(Steady::now() - begun));
    }
    return microseconds(Steady::now() - start) / 1e6;
  };
  double seconds = 0;
  if (postgres) {
    PostgresOptions options{.schema = "raw" + new_id("x")};
    auto store = open_postgres_store(place, options).value();
    int64_t sequence = 0;
    for (Batch& batch : batches) {
      for (JournalRow& row : batch.entries) row.sequence = ++sequence;
    }
    seconds = write_all([&](const Batch& batch) {
      CHECK(store->begin(Store::Access::kWrite).has_value());
      CHECK(store->append(batch.entries).has_value());
      CHECK(store->write(batch.changes).has_value());
      CHECK(store->commit().has_value());
    });
  } else {
    RawSqlite raw(place + "/raw.db");
    seconds = write_all([&](const Batch& batch) { raw.write(batch); });
  }
  std::ranges::sort(times);
  fmt::print(
      "{{\"pairs_per_second\":{:.0f},\"commit_median_us\":{:.0f},\"commit_p99_us\":{:.0f},\"pairs_per_"
      "commit\":{:.1f}}}\n",
      double(pairs) / seconds, times[times.size() / 2], times[times.size() * 99 / 100],
      double(pairs) / double(batches.size()));
}

}  // namespace
}  // namespace feilun::ledger

int main(int count, char** arguments) {
  using namespace feilun::ledger;
  if (count < 5) return 2;
  const std::string what = arguments[1];
  const std::string place = arguments[2];
  const int clients = std::atoi(arguments[3]);
  const int64_t pairs = std::atoll(arguments[4]);
  if (!place.starts_with("postgres")) std::filesystem::create_directories(place);
  if (what == "ours") {
    measure_ours(place, clients, pairs, count > 5 ? std::atoll(arguments[5]) : 0);
  } else {
    measure_raw(place, clients, pairs);
  }
}
