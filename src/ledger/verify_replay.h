#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/civil_time.h"
#include "ledger/verify_format.h"
#include "ledger/verify_paper.h"
#include "ledger/verify_prices.h"

namespace feilun::ledger::audit {

/// Receives one sentence for each thing that is wrong.
using Report = std::function<void(std::string)>;

/// A row that the state must have, by the journal; `sequence` is the entry that last touched it.
struct ExpectedRow {
  std::string value;
  int64_t sequence = 0;
};
using ExpectedState = std::map<std::string, ExpectedRow>;

/// The ledger once more, from the journal alone: applies entries in order, and holds at any time what the
/// state must be. It reports two kinds of fault:
///
/// - a problem: the entry cannot be followed. It contradicts what came before or itself, so what the state is
///   from here on is a guess. Replay keeps going, and one problem may bring others in its train;
/// - a breach: the entry breaks a rule of the books (it gives back too much, comes too early, exceeds a
///   limit), but says all that the state needs. An older program, which did not know the rule, left just the
///   state that is held here.
///
/// Whatever is not surely a breach is a problem.
///
/// A new kind of entry is a method here and a line in apply(); rows of the state that it moves are put().
class Replay {
 public:
  explicit Replay(const Report& both) : Replay(both, both) {}
  Replay(Report problem, Report breach)
      : report_problem_(std::move(problem)), report_breach_(std::move(breach)) {}

  void apply(int64_t sequence, int64_t time, const Entry& entry);
  /// After the last entry.
  void end() { expect_no_alert(); }

  const ExpectedState& state() const { return state_; }
  int64_t ended_requests() const { return ended_requests_; }
  int64_t open_requests() const { return static_cast<int64_t>(open_.size()); }

 private:
  struct Record {
    int64_t sequence = 0;
    std::string parent, name, json;
  };
  struct Organisation {
    int128 credit_limit = 0;
    TimeZone zone = TimeZone::utc();
  };
  struct Project {
    std::string organisation, currency, payer;
  };
  struct Request {
    std::string key, project, payer, offering, currency, lease;
    int64_t tier = 0, price = 0, input_tokens = 0, output_tokens = 0, covered_tokens = 0;
    std::vector<Posting> draws;
    Classes mark;
    int64_t opened = 0;
    int128 held() const;
  };
  struct Usage {
    int64_t requests = 0;
    Classes classes;
    int128 charged = 0;
  };
  /// What is known of a lot: its record's body, and whether it was granted.
  struct Lot {
    std::string payer, unit;
    int128 amount = 0, paid = 0;
    std::vector<std::string> offerings;
    int64_t priority = 0, expires = INT64_MAX, sequence = 0;
    bool granted = false, live = false;
  };
  /// Sums of settled requests, as two tables have them.
  struct Sums {
    int64_t requests = 0;
    Classes usage, covered;
    int128 charged = 0;
  };
  struct Limit {
    std::string id, scope;
    int64_t measure = 0, window = 0;  ///< in seconds; 0: the month
    int128 bound = 0;
    bool hard = false;
    std::vector<int64_t> alerts;
    int64_t since = 0;
    int128 pending = 0;
    std::map<int64_t, int128> used;                 ///< by the beginning of the bucket, in seconds
    int64_t newest = 0;                             ///< the bucket of what is used now
    std::vector<std::pair<int64_t, int64_t>> told;  ///< percents, and until when they are not told again
  };
  /// Requests, tokens, money.
  using Counts = std::array<int128, 3>;
  /// The time of the entry as an organisation sees it.
  struct Moment {
    std::string organisation;
    int64_t month_from = 0, month_until = 0;
  };
  /// An alert that a webhook has not taken yet.
  struct Delivery {
    int64_t due = 0, failed = 0;
    std::string alert;  ///< its time and fields
  };
  /// Accounts that a request may draw from, in the order in which they are spent.
  struct Purses {
    std::vector<std::string> packages;
    std::vector<std::string> money;
  };
  struct Item {
    int64_t count = 0;
    int128 amount = 0;
  };
  /// Project, offering, tier and price: what lines of usage are told apart by.
  using UsageOf = std::tuple<std::string, std::string, int64_t, int64_t>;
  /// A payer's month.
  using PayerMonth = std::pair<std::string, int64_t>;
  struct LineLeft {
    int128 amount = 0, exact = 0;
    std::optional<UsageOf> usage;  ///< none: no line of usage
  };
  /// Of one kind of usage of an invoice: what it was charged, and what credit notes took of its lines.
  struct Noted {
    int128 charged = 0, noted = 0;
  };
  /// Of the charges of a month for one kind of usage: what refunds gave back, and how much of it to the
  /// wallet in another month.
  struct GivenBack {
    int128 all = 0, elsewhere = 0;
  };
  /// What a settled request was charged, less its refunds; where it counts are keys of month_usage_.
  struct Spent {
    std::vector<Posting> parts;
    const PayerMonth* in = nullptr;
    const UsageOf* of = nullptr;
  };
  /// What is left of a payment behind what went back of it.
  struct Came {
    int128 amount = 0, applied = 0;
  };
  /// An invoice, what was paid and credited, and what credit notes left of its lines.
  struct Owed {
    std::string payer, currency;
    int64_t due_day = 0, notes = 0;
    int64_t month = 0;
    int128 total = 0, paid = 0, received = 0, credited = 0, coin = 1;
    int128 kept = 0;                      ///< what the wallet ever paid
    int128 exact_left = 0, returned = 0;  ///< behind notes; what they took back of lines that gave money back
    std::map<std::string, Came> came;     ///< by reference
    std::map<UsageOf, Noted> usage;
    std::vector<LineLeft> lines;
    std::vector<std::string> percents;
  };
  using Requests = std::unordered_map<std::string, Request>;

  // verify_replay.cc: what every entry has in common, acts and credits.
  void act(const Entry& entry);
  void put_record(const std::string& type, const std::string& id, const Record* before, const Record* after);
  void price(const std::string& id, const std::string& parent, const Record* before, const Record* after);
  void project(const std::string& id, const Record* after);
  void organisation(const std::string& id, const Record* after);
  /// Whose audit log has the act on a record.
  std::string organisation_of(const std::string& type, const std::string& id,
                              const std::string& parent) const;
  /// A line of the audit log: actor, verb, type, id, parent, name, before, after.
  void log(const std::string& organisation, const std::vector<std::string>& act);
  /// Of an act that has a kind of its own: something came to be that belongs to a payer or a project.
  void log_made(const Entry& entry, const std::string& type, const std::string& id, const std::string& parent,
                const std::string& name, const std::string& after);
  void credit(const Entry& entry);
  /// Reports when the entry's postings are not these (zeros left out).
  void expect_postings(const Entry& entry, std::vector<Posting> expected);
  void post(const Entry& entry);
  /// How far the account may fall by this kind of entry.
  int128 lowest(const std::string& account, Kind kind) const;
  int128 credit_limit(const std::string& payer) const;
  int128 balance(const std::string& account, const std::string& currency) const;

  // verify_requests.cc: the road of one request.
  void hold(const Entry& entry);
  void top_up(const Entry& entry);
  void mark(const Entry& entry);
  void settle(const Entry& entry);
  void release(const Entry& entry);
  void request_cost(const Entry& entry);
  void claim(const Entry& entry);
  Requests::iterator open_request(const Entry& entry);
  const Price* price_in_force(const Project& project, const std::string& offering, int64_t number);
  const Price* price_of(int64_t number);
  Purses purses(const Request& request) const;
  int128 available(const Request& request, const std::string& account, const std::string& unit) const;
  /// How many tokens the packages have.
  int64_t package_tokens(const Request& request, const Purses& purses) const;
  /// Checks the postings that set `amount` and `tokens` of packages aside, and remembers the draws.
  void draw(const Entry& entry, Request& request, const Purses& from, int128 amount, int64_t tokens);
  /// What is spent of each draw; takes what is asked for off `charged` and `tokens`.
  static std::vector<Posting> spend(const Request& request, int128 charged, int64_t tokens);
  /// Checks the postings that end a request of whose draws this was spent.
  void finish(const Entry& entry, Requests::iterator place, const std::vector<Posting>& spent);
  /// Remembers what a settle charged, for refunds.
  void note_spent(const std::string& id, const Request& request, const std::vector<Posting>& spent);
  void put_open(const std::string& id, const Request& request);

  // verify_usage.cc: sums of usage, refunds and true-ups.
  std::string volume_key(const Request& request) const;
  void count(const Request& request, const Entry& settle, const Classes& covered, int128 charged);
  void refund(const Entry& entry);
  void true_up(const Entry& entry);

  // verify_invoices.cc: invoices, and what they are made of.
  void invoice(const Entry& entry);
  TimeZone zone_of_payer(const std::string& payer) const;
  /// The month of the entry in which the payer's charges count: none that was invoiced or trued up.
  int64_t month_of_payer(const std::string& payer) const;
  void close_month(const std::string& payer, int64_t month);
  void count_item(const std::string& payer, int64_t month, int item, const std::string& lot, int128 amount);
  void count_spent(const std::string& payer, const std::vector<Posting>& spent);
  void count_bought(const std::string& payer, const std::string& lot, int128 paid);
  void count_refunded(const Spent& spent, const std::vector<Posting>& postings);
  void count_true_up(const std::string& organisation, Month month, int128 shortfall);
  void check_terms(const Paper& paper, const std::string& payer);
  void check_usage_lines(const std::vector<PaperLine>& lines, const std::string& payer, int64_t month);
  void check_item_lines(const std::vector<PaperLine>& lines, const std::string& payer, int64_t month);
  /// Writes the rows of a record that an entry other than an act makes.
  void make_record(const std::string& type, const std::string& id, const std::string& parent,
                   const std::string& name, const std::string& json);

  // verify_receivables.cc: what follows an invoice.
  void payment(const Entry& entry);
  void credit_note(const Entry& entry);
  void add_free_money(const std::string& payer, int128 more);
  void put_owed(const std::string& number);
  /// What is paid by the payment and by nothing else.
  int128 paid_by_it_alone(const Owed& owed, const Came& payment);
  /// A breach when refunds and credit notes give back more than was charged.
  void check_given_once(const Owed& owed);
  /// False when the note takes back what is not left.
  static bool take_back(Owed& owed, const Paper& note, std::string_view record);

  // verify_lots.cc
  void lot(const std::string& id, const std::string& parent, const Record* before, const Record* after);
  void grant(const Entry& entry);
  void expire(const Entry& entry);
  /// Rewrites the rows of the lot's payer when the lot's account became empty or not.
  void note_lot(const std::string& account);
  /// The lot's account, or where what goes back to an expired lot goes.
  std::string returned_to(const std::string& account) const;

  // verify_limits.cc
  void limit(const std::string& id, const std::string& scope, const Record* before, const Record* after);
  void put_limits(const std::string& scope);
  Moment moment_of(const std::string& organisation) const;
  /// Drops what has left the limit's window.
  void move(Limit& limit, const Moment& moment) const;
  /// Counts for the limits of the request what it holds more (or less) now and what it used.
  void count_limits(const Request& request, const Counts& held, const Counts& used, bool may_alert);
  /// Notes the alerts that `used` must raise.
  void raise(Limit& limit, int128 used, const Moment& moment, const std::string& currency);
  void put_window(const Limit& limit);
  void webhook(const std::string& id, const std::string& organisation, const Record* after);
  void alert(const Entry& entry);
  void notified(const Entry& entry);
  static std::string delivery_key(const std::pair<int64_t, std::string>& whose, int64_t due);
  void put_delivery(const std::pair<int64_t, std::string>& whose, const Delivery& delivery);
  /// All alerts that were raised have been journalled.
  void expect_no_alert();

  void put(std::string key, std::string value);
  void erase(const std::string& key) { state_.erase(key); }
  template <typename Integer>
  void add(Integer& sum, Integer part) {
    if (__builtin_add_overflow(sum, part, &sum)) problem("a sum overflows");
  }
  void problem(const std::string& what) { report_problem_(located(what)); }
  void breach(const std::string& what) { report_breach_(located(what)); }
  std::string located(const std::string& what) const;

  Report report_problem_, report_breach_;
  int64_t sequence_ = 0;
  int64_t time_ = 0;
  std::string just_settled_;  ///< the request that the entry before settled
  ExpectedState state_;

  std::map<std::pair<std::string, std::string>, int128> balances_;
  std::map<std::pair<std::string, std::string>, Record> records_;
  std::map<std::string, Organisation> organisations_;
  std::map<std::string, Project> projects_;
  std::map<int64_t, Price> prices_;
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<Interval>> versions_;
  Requests open_;
  int64_t ended_requests_ = 0;
  std::map<std::string, Usage> usage_;
  std::map<std::string, Lot> lots_;
  std::map<std::string, std::vector<std::string>> live_lots_;  ///< by payer, in the order of spending
  std::unordered_map<std::string, Sums> sums_;                 ///< by their rows' keys
  std::unordered_map<std::string, int64_t> volumes_;           ///< the same
  std::map<std::pair<std::string, int64_t>, int128> month_charged_;
  std::unordered_map<std::string, Spent> spent_;  ///< by settled request
  std::map<PayerMonth, std::map<UsageOf, GivenBack>> given_back_;
  std::map<std::pair<std::string, std::string>, std::string>
      claims_;                                                      ///< requests, by key and idempotency key
  std::map<std::string, int64_t> first_open_;                       ///< months, by payer
  std::map<std::string, std::vector<Limit>> limits_;                ///< by scope
  std::map<std::string, std::set<std::string>> webhooks_;           ///< that want alerts, by organisation
  std::deque<std::pair<std::string, std::string>> due_alerts_;      ///< organisation, fields
  std::map<std::pair<int64_t, std::string>, Delivery> deliveries_;  ///< by alert and webhook
  std::map<std::string, int64_t> invoices_;                         ///< how many, by month
  std::map<PayerMonth, std::string> invoiced_;                      ///< numbers
  std::map<std::string, Owed> owed_;                                ///< by invoice
  std::map<std::string, int128> free_money_;                        ///< by payer
  std::unordered_map<std::string, Item> items_;                     ///< by their rows' keys
  std::map<std::pair<std::string, int64_t>, int128> wallet_paid_;   ///< to revenue, by payer and month
  std::map<PayerMonth, std::map<UsageOf, Sums>> month_usage_;
};

}  // namespace feilun::ledger::audit
