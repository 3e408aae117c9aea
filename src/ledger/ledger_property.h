#pragma once

#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ledger/invoice_formats.h"
#include "ledger/ledger_fixture.h"
#include "ledger/shadow_ledger.h"
#include "ledger/wall_clock.h"

// One seeded run of everything that money can do, against the real ledger and a shadow of it. Operations on
// requests are sent without waiting, so that groups form as they do under load; acts follow in the same
// group; then time passes. Every answer is compared with the shadow's, now and then all accounts, and the
// auditor looks at the whole.

namespace feilun::ledger {

inline std::string line(const Hold& hold) {
  return fmt::format("{} {} {}", hold.held.to_string(), hold.output_tokens, hold.exhausted);
}
inline std::string line(const TokenUsage& usage) {
  return fmt::format("{} {} {} {} {}", usage.input_fresh, usage.cache_read, usage.cache_write, usage.output,
                     usage.reasoning);
}
inline std::string line(const Settlement& done) {
  return done.charged.to_string() + "/" + done.released.to_string();
}
inline std::string line(const PriceVersion& price) {
  return fmt::format("{} from {} until {}", price.id, price.effective_from.time_since_epoch().count(),
                     price.effective_until.time_since_epoch().count());
}
inline std::string line(const Refund& refund) {
  return fmt::format("{} {}", refund.amount.to_string(), refund.tokens);
}
inline std::string line(Money money) {
  return money.to_string();
}

template <typename T>
std::string answer(const Result<T>& result) {
  return result ? line(*result) : fmt::format("error {}", static_cast<int>(result.error().code));
}

struct Run {
  bool postgres = false;
  uint64_t seed = 0;
};

class LedgerProperty : public LedgerTest, public ::testing::WithParamInterface<Run> {
 protected:
  void SetUp() override {
    if (GetParam().postgres) SKIP_WITHOUT_POSTGRES();
    if (GetParam().postgres) move_to_postgres();
    restart(/*serving=*/true);
    set_up_tenants();
  }

  int64_t below(int64_t bound) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(bound)); }
  template <typename T>
  const T& one_of(const std::vector<T>& all) {
    return all[static_cast<size_t>(below(std::ssize(all)))];
  }

  // ledger_property_test.cc: the road of requests, and time.
  std::string some_request();
  TokenUsage some_usage();
  Month some_month(const std::string& payer);
  void set_up_tenants();
  void add_project(const Project& project, const char* zone);
  void ask();
  void pass_time();
  void round();
  void be_killed();
  void restart(bool serving);
  void compare_accounts();

  // ledger_property_acts_test.cc
  void act(Books& books);
  Lot some_lot();
  PriceVersion some_price();
  /// Of a payment of the invoice, whatever it was, or of none.
  std::string some_reference(const std::string& invoice);
  void act_money(Books& books, int64_t dice);
  void grant(Books& books);
  void refund(Books& books);
  void limit(Books& books);
  void true_up(Books& books, const std::string& payer, Month month);
  void invoice(Books& books);
  void pay(Books& books);
  void credit_note(Books& books);
  void notify(Books& books);
  /// Of what comes later nothing counts in it.
  void close(const std::string& payer, Month month) {
    Month& first_open = shadow_.first_open[payer];
    first_open = std::max(first_open, month + std::chrono::months(1));
  }

  template <typename T>
  Done<T> expect(const std::string& what, const std::string& expected) {
    ++operations_;
    ++seen_[what + ' ' + (expected.starts_with("error") ? expected : "done")];
    return [what, expected](Result<T> result) {
      const std::string got = answer(result);
      if (got != expected) ADD_FAILURE() << what << ": " << got << ", not " << expected;
    };
  }
  template <typename T>
  void same(const std::string& what, const Result<T>& result, const Result<T>& expected) {
    expect<T>(what, answer(expected))(result);
  }

  std::mt19937_64 random_{GetParam().seed};
  WallClock wall_clock_;
  ShadowLedger shadow_;
  std::vector<std::string> projects_, payers_, keys_, scopes_;
  std::string acme_;
  Month first_month_{};
  const Money committed_ = Money::pico(40'000'000'000);
  std::vector<SpendLimit> limits_;
  std::vector<WallTime> boundaries_;                                           ///< of prices, lots and months
  std::map<std::string, std::pair<Lot, std::string>> granted_;                 ///< by idempotency key
  std::map<std::string, std::pair<RefundRequest, std::string>> refunded_;      ///< the same
  std::map<std::string, std::pair<std::string, Money>> credited_;              ///< the same
  std::map<std::pair<std::string, Month>, std::pair<Money, Money>> true_ups_;  ///< charged, shortfall
  std::map<std::pair<std::string, Month>, std::string> invoices_;              ///< as printed
  std::vector<std::pair<Invoice, std::string>> papers_;                        ///< with their payers
  std::map<std::string, std::pair<PaymentRequest, std::string>> payments_;     ///< by invoice and reference
  std::map<std::string, std::pair<CreditRequest, std::string>> notes_;         ///< by invoice and key
  std::set<std::string> topped_up_;                                            ///< in this round
  std::vector<std::string> settled_;
  int64_t next_request_ = 0;
  int64_t operations_ = 0;
  std::map<std::string, int64_t> seen_;
};

}  // namespace feilun::ledger
