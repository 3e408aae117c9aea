#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ledger/verify_payload.h"

namespace feilun::ledger::audit {

/// Receives one sentence for each thing that is wrong.
using Report = std::function<void(std::string)>;

/// One cell of a table, as SQLite types it.
struct Cell {
  enum class Type { kNull, kInteger, kText, kBlob, kOther } type = Type::kNull;
  int64_t integer = 0;
  std::string bytes = {};
  friend bool operator==(const Cell&, const Cell&) = default;
};

/// A row that a table must have, by the journal; `sequence` is the entry that last touched it.
struct ExpectedRow {
  std::vector<Cell> cells;
  int64_t sequence = 0;
};
/// By the text of the row's primary key, its columns joined by a zero byte.
using ExpectedTable = std::unordered_map<std::string, ExpectedRow>;

/// The ledger once more, from the journal alone: applies entries in order, reports each that breaks a rule,
/// and says at the end what every derived table must hold. It keeps going after a broken entry, so one fault
/// may bring others in its train.
class Replay {
 public:
  explicit Replay(Report report) : report_(std::move(report)) {}

  void apply(int64_t sequence, int64_t time, const Entry& entry);

  int64_t ended_requests() const { return static_cast<int64_t>(ended_.size()); }
  int64_t open_requests() const { return static_cast<int64_t>(open_.size()); }

  ExpectedTable accounts() const;
  ExpectedTable projects() const;
  ExpectedTable keys() const;
  ExpectedTable prices() const;
  ExpectedTable open_holds() const;
  ExpectedTable ended() const;
  ExpectedTable credits() const;
  ExpectedTable usage() const;

 private:
  struct Account {
    int128 balance = 0;
    int64_t sequence = 0;
  };
  struct Project {
    std::string name, organisation, currency;
    int64_t sequence = 0;
  };
  struct Key {
    std::string project, name, hint, hash;
    int64_t role = 0, created = 0, revoked = 0, sequence = 0;
    bool is_revoked = false;
  };
  struct Price {
    std::string offering, currency;
    int128 units[5] = {};
    int64_t from = 0, until = 0, sequence = 0;
  };
  struct Request {
    std::string key, project;
    int64_t tier = 0, price = 0, input_tokens = 0, output_tokens = 0;
    int128 held = 0;
    Classes mark;
    int64_t opened = 0, sequence = 0;
  };
  struct Credit {
    std::string project, currency;
    int128 amount = 0;
    int64_t sequence = 0;
  };
  struct Usage {
    int64_t requests = 0;
    Classes classes;
    int128 charged = 0;
    int64_t sequence = 0;
  };

  void project(const Entry& entry);
  void key(const Entry& entry);
  void key_revoked(const Entry& entry);
  void price(const Entry& entry);
  void credit(const Entry& entry);
  void hold(const Entry& entry);
  void top_up(const Entry& entry);
  void mark(const Entry& entry);
  void settle(const Entry& entry);
  void release(const Entry& entry);
  void request_cost(const Entry& entry);

  void post(const Entry& entry);
  /// Reports when the entry's postings are not these (zeros left out).
  void expect_legs(const Entry& entry, std::vector<Leg> expected);
  Request* open_request(const Entry& entry);
  const Price* price_of(int64_t id);
  void end(const std::string& request);
  template <typename Integer>
  void add(Integer& sum, Integer part) {
    if (__builtin_add_overflow(sum, part, &sum)) problem("a sum overflows");
  }
  void problem(const std::string& what);

  Report report_;
  int64_t sequence_ = 0;
  int64_t time_ = 0;
  std::string just_settled_;  ///< the request that the entry before settled
  std::map<std::pair<std::string, std::string>, Account> accounts_;
  std::map<std::string, Project> projects_;
  std::set<std::string> project_names_;
  std::map<std::string, Key> keys_;
  std::map<int64_t, Price> prices_;
  std::unordered_map<std::string, Request> open_;
  std::unordered_map<std::string, int64_t> ended_;
  std::map<std::string, Credit> credits_;
  std::map<std::string, Usage> usage_;
};

}  // namespace feilun::ledger::audit
