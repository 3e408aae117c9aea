// Pairs of hold and settle a second, durable before they are answered, as N clients ask for them who each
// wait for their answers; and beside it the same bytes written by statements alone.
//
//   ledger_bench ours   DIRECTORY|URL CLIENTS PAIRS            the ledger
//   ledger_bench raw    DIRECTORY|URL CLIENTS PAIRS            what the ledger writes for them, group by
//   group,
//                                                              recorded first, with no rules in the way
//   ledger_bench seen   DIRECTORY|URL 0 REQUESTS               nothing: makes the rows of so many requests
//   that
//                                                              have ended, as if the ledger had served them
//   ledger_bench growth DIRECTORY|URL CLIENTS PAIRS BEFORE …   the ledger, once so many pairs are journalled
//
// Prints one line of JSON.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <latch>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/ids.h"
#include "ledger/anchor.h"
#include "ledger/fields.h"
#include "ledger/postgres_store.h"
#include "ledger/rows.h"
#include "ledger/sealing.h"
#include "ledger/sqlite_store.h"
#include "ledger/writer.h"
#include "raw_postgres.h"
#include "raw_sqlite.h"

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

/// Of the calling thread.
double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) + double(time.tv_nsec) / 1e9;
}

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
  Result<std::optional<Segment>> segment_at(int64_t sequence) override {
    return store_->segment_at(sequence);
  }
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
    for (const StateChange& change : changes) {
      batch_.changes.push_back({std::string(change.key), std::nullopt});
      if (change.value) batch_.changes.back().value = *change.value;
    }
    return store_->write(changes);
  }

 private:
  std::unique_ptr<Store> store_;
  std::vector<Batch>& batches_;
  Batch batch_;
};

bool is_postgres(const std::string& place) {
  return place.starts_with("postgres");
}

std::unique_ptr<Store> open_store(const std::string& place) {
  auto store = is_postgres(place) ? open_postgres_store(place)
                                  : open_sqlite_store(std::filesystem::path(place) / "ledger.db");
  CHECK(store.has_value());
  return *std::move(store);
}

/// Ids as new_id() makes them, without asking the system for chance each time.
class RequestIds {
 public:
  std::string next() {
    static constexpr char kAlphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    auto time = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
    std::string id = "req_00000000000000000000000000";
    for (size_t i = 13; i >= 4; --i, time >>= 5) id[i] = kAlphabet[time & 31];
    uint64_t random = random_();
    for (size_t i = 14; i < id.size(); ++i, random >>= 5) {
      if (i == 22) random = random_();
      id[i] = kAlphabet[random & 31];
    }
    return id;
  }

 private:
  std::mt19937_64 random_{std::random_device()()};
};

/// Clients who hold, settle, and begin again, until so many pairs are done.
class Load {
 public:
  Load(Writer& writer, std::string project, int64_t pairs, int clients)
      : writer_(writer), project_(std::move(project)), left_(pairs), running_(clients), clients_(clients) {
    hold_times_.reserve(static_cast<size_t>(pairs));
  }

  void run() {
    // All on the writer's thread, as what follows.
    writer_.submit<void>([](Books&) { return Result<>(); },
                         [this](Result<>) {
                           writer_seconds_ = -thread_seconds();
                           for (int i = clients_; i > 0; --i) next();
                         });
    running_.wait();
  }
  /// Processor time of the writer's thread, the clients included.
  double writer_seconds() const { return writer_seconds_; }
  /// In ascending order.
  std::vector<double> hold_times() {
    std::ranges::sort(hold_times_);
    return hold_times_;
  }

 private:
  void next() {
    if (left_-- <= 0) {
      if (--clients_ == 0) writer_seconds_ += thread_seconds();
      return running_.count_down();
    }
    HoldRequest asked{.request_id = ids_.next(), .key_id = "key_0123456789ABCDEFGHJKMNPQRS"};
    asked.project_id = project_;
    asked.offering = "nano";
    asked.input_tokens = kInput;
    auto rows = request_keys(asked.request_id);
    const auto start = Steady::now();
    writer_.submit<Hold>([asked = std::move(asked)](Books& books) { return books.hold(asked); },
                         [this, start](Result<Hold> hold) {
                           CHECK(hold.has_value());
                           hold_times_.push_back(microseconds(Steady::now() - start));
                           settle(std::move(hold->request_id));
                         },
                         Writer::WhenLocked::kFail, std::move(rows));
  }
  void settle(std::string id) {
    const TokenUsage usage{.input_fresh = kInput - 400, .cache_read = 400, .output = kOutput};
    writer_.submit<Settlement>(
        [id = std::move(id), usage](Books& books) { return books.settle(id, usage, Outcome::kCompleted); },
        [this](Result<Settlement> settled) {
          CHECK(settled.has_value());
          next();
        });
  }

  Writer& writer_;
  std::string project_;
  int64_t left_;
  std::latch running_;
  int clients_;
  double writer_seconds_ = 0;
  RequestIds ids_;
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

std::unique_ptr<Writer> open_writer(std::unique_ptr<Store> store, const std::string& directory,
                                    std::unique_ptr<Sealer> sealer = nullptr) {
  static const SystemClock clock;
  auto anchor = Anchor::open(std::filesystem::path(directory) / (new_id("anchor")));
  CHECK(anchor.has_value());
  return std::make_unique<Writer>(std::move(store), *std::move(anchor), clock, std::chrono::microseconds(500),
                                  nullptr, std::move(sealer));
}

std::string anchor_directory(const std::string& place) {
  return is_postgres(place) ? std::filesystem::temp_directory_path().string() : place;
}

std::unique_ptr<Writer> open_ledger(const std::string& place) {
  return open_writer(open_store(place), anchor_directory(place), std::make_unique<Sealer>(open_store(place)));
}

void measure_ours(const std::string& place, int clients, int64_t pairs) {
  const auto writer = open_ledger(place);
  Load load(*writer, set_up(*writer), pairs, clients);
  const auto start = Steady::now();
  load.run();
  const double seconds = microseconds(Steady::now() - start) / 1e6;
  const auto times = load.hold_times();
  fmt::print(
      "{{\"pairs_per_second\":{:.0f},\"cpu_us\":{:.2f},\"hold_median_us\":{:.0f},\"hold_p99_us\":{:.0f}}}\n",
      double(pairs) / seconds, load.writer_seconds() * 1e6 / double(pairs), times[times.size() / 2],
      times[times.size() * 99 / 100]);
}

/// What grows with every request for ever is the row that tells that it was seen.
void make_seen(const std::string& place, int64_t requests) {
  constexpr int64_t kAtOnce = 100'000;
  {
    open_ledger(place);
  }
  auto store = open_store(place);
  RequestIds ids;
  for (int64_t done = 0; done < requests; done += kAtOnce) {
    std::set<std::string> keys;
    while (std::ssize(keys) < std::min(kAtOnce, requests - done))
      keys.insert(request_keys(ids.next()).back());
    const std::string sequence = FieldWriter().number(2 * done).take();
    std::vector<StateChange> changes;
    for (const std::string& key : keys) changes.push_back({key, sequence, true});
    CHECK(store->begin(Store::Access::kWrite).has_value());
    CHECK(store->write(changes).has_value());
    CHECK(store->commit().has_value());
  }
  fmt::print("{{\"requests\":{}}}\n", requests);
}

/// Bytes of the database's file; 0 where it is a server's.
int64_t size_of(const std::string& place) {
  const auto path = std::filesystem::path(place) / "ledger.db";
  return is_postgres(place) ? 0 : static_cast<int64_t>(std::filesystem::file_size(path));
}

/// Processor time of all threads, sealing included.
void measure_growth(const std::string& place, int clients, int64_t pairs,
                    const std::vector<int64_t>& checkpoints) {
  const auto writer = open_ledger(place);
  const std::string project = set_up(*writer);
  int64_t done = 0;
  std::vector<std::string> figures;
  std::vector<int64_t> sizes;
  for (const int64_t before : checkpoints) {
    Load(*writer, project, before - done, 500).run();
    const double processor = processor_seconds();
    Load(*writer, project, pairs, clients).run();
    figures.push_back(fmt::format("{:.2f}", (processor_seconds() - processor) * 1e6 / double(pairs)));
    sizes.push_back(size_of(place));
    done = before + pairs;
  }
  fmt::print("{{\"cpu_us\":[{}],\"bytes\":[{}]}}\n", fmt::join(figures, ","), fmt::join(sizes, ","));
}

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
  const bool postgres = is_postgres(place);
  const std::string scratch = postgres ? "" : place + "/recorded";
  if (!postgres) std::filesystem::create_directories(scratch);
  std::vector<Batch> batches = recorded(postgres ? place : scratch, clients, pairs);
  std::vector<double> times;
  double processor = 0;
  const auto write_all = [&](auto&& write) {
    const auto start = Steady::now();
    processor = -thread_seconds();
    for (const Batch& batch : batches) {
      const auto begun = Steady::now();
      write(batch);
      times.push_back(microseconds(Steady::now() - begun));
    }
    processor += thread_seconds();
    return microseconds(Steady::now() - start) / 1e6;
  };
  double seconds = 0;
  if (postgres) {
    RawPostgres raw(place);
    seconds = write_all([&](const Batch& batch) { raw.write(batch); });
  } else {
    RawSqlite raw(place + "/raw.db");
    seconds = write_all([&](const Batch& batch) { raw.write(batch); });
  }
  std::ranges::sort(times);
  fmt::print(
      "{{\"pairs_per_second\":{:.0f},\"cpu_us\":{:.2f},\"commit_median_us\":{:.0f},\"commit_p99_us\":{:.0f},"
      "\"pairs_per_commit\":{:.1f}}}\n",
      double(pairs) / seconds, processor * 1e6 / double(pairs), times[times.size() / 2],
      times[times.size() * 99 / 100], double(pairs) / double(batches.size()));
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
  if (!is_postgres(place)) std::filesystem::create_directories(place);
  if (what == "ours") {
    measure_ours(place, clients, pairs);
  } else if (what == "growth") {
    std::vector<int64_t> checkpoints;
    for (int i = 5; i < count; ++i) checkpoints.push_back(std::atoll(arguments[i]));
    measure_growth(place, clients, pairs, checkpoints);
  } else if (what == "seen") {
    make_seen(place, pairs);
  } else {
    measure_raw(place, clients, pairs);
  }
}
