#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ledger/ledger.h"

namespace feilun::ledger {

/// The rules once more in the fewest lines, for property tests: one thread, no disk, no groups. Every
/// operation answers with a line of text that the real ledger's answer must equal.
class ShadowLedger {
 public:
  void add_project(const std::string& id) { wallets_[id]; }
  void set_price(const PriceVersion& price) { price_ = price.rows[0].units; }

  std::string credit(const std::string& project, Money amount, const std::string& idempotency_key) {
    if (!idempotency_key.empty()) {
      const auto [place, first] = credits_.try_emplace(idempotency_key, project, amount);
      if (!first && place->second != std::pair(project, amount)) return "conflict";
      if (!first) return balance(project);
    }
    wallets_[project].free += amount;
    return balance(project);
  }

  std::string hold(const HoldRequest& asked) {
    if (requests_.contains(asked.request_id)) return "conflict";
    Wallet& wallet = wallets_.at(asked.project_id);
    const Money unit = std::max(price_.output, price_.reasoning);
    const Money input =
        std::max({price_.input_fresh, price_.cache_read, price_.cache_write}) * asked.input_tokens;
    TokenCount tokens = 0;
    while (tokens < asked.output_slice && input + unit * (tokens + 1) <= wallet.free) ++tokens;
    if (tokens == 0) return "insufficient";
    Request& request = requests_[asked.request_id];
    request = {asked.project_id, price_, input + unit * tokens, tokens, {}, false};
    wallet.move(request.held);
    return granted(request, tokens < asked.output_slice);
  }

  std::string top_up(const std::string& id, TokenCount more) {
    Request* request = find(id);
    if (request == nullptr) return missing(id);
    Wallet& wallet = wallets_.at(request->project);
    const Money unit = std::max(request->price.output, request->price.reasoning);
    TokenCount added = 0;
    for (; added < more && unit <= wallet.free; ++added) {
      wallet.move(unit);
      request->held += unit;
      request->tokens += 1;
    }
    return granted(*request, added < more);
  }

  std::string mark(const std::string& id, const TokenUsage& usage) {
    Request* request = find(id);
    if (request == nullptr) return missing(id);
    const bool rises = usage.input() >= request->mark.input() &&
                       usage.total_output() >= request->mark.total_output() &&
                       cost(*request, usage) >= cost(*request, request->mark);
    if (rises) request->mark = usage;
    return line(request->mark);
  }

  std::string settle(const std::string& id, const TokenUsage& usage) {
    Request* request = find(id);
    if (request == nullptr) return missing(id);
    const Money charged = std::min(cost(*request, usage), request->held);
    const Money released = finish(*request, charged);
    Wallet& wallet = wallets_.at(request->project);
    wallet.requests += 1;
    wallet.charged += charged;
    wallet.output += usage.total_output();
    return charged.to_string() + "/" + released.to_string();
  }

  std::string release(const std::string& id) {
    Request* request = find(id);
    if (request == nullptr) return missing(id);
    return "0.00/" + finish(*request, Money()).to_string();
  }

  /// A serving process was killed and another started.
  void recover() {
    for (auto& [id, request] : requests_) {
      if (request.ended) continue;
      if (request.mark == TokenUsage{}) {
        release(id);
      } else {
        settle(id, request.mark);
      }
    }
  }

  std::string balance(const std::string& project) const {
    const Wallet& wallet = wallets_.at(project);
    return line({.posted = wallet.free + wallet.held, .pending = wallet.held});
  }
  std::string usage(const std::string& project) const {
    const Wallet& wallet = wallets_.at(project);
    return line(wallet.requests, wallet.output, wallet.charged);
  }

  static std::string line(const Balance& balance) {
    return balance.posted.to_string() + "-" + balance.pending.to_string();
  }
  static std::string line(const TokenUsage& usage) {
    return fmt::format("{} {} {} {} {}", usage.input_fresh, usage.cache_read, usage.cache_write, usage.output,
                       usage.reasoning);
  }
  static std::string line(const Hold& hold) {
    return fmt::format("{} {} {}", hold.held.to_string(), hold.output_tokens, hold.exhausted);
  }
  static std::string line(const Settlement& done) {
    return done.charged.to_string() + "/" + done.released.to_string();
  }
  static std::string line(int64_t requests, TokenCount output, Money charged) {
    return fmt::format("{} {} {}", requests, output, charged.to_string());
  }

 private:
  struct Wallet {
    Money free, held, charged;
    int64_t requests = 0;
    TokenCount output = 0;
    void move(Money amount) {
      free -= amount;
      held += amount;
    }
  };
  struct Request {
    std::string project;
    pricing::UnitPrices price;
    Money held;
    TokenCount tokens = 0;
    TokenUsage mark;
    bool ended = false;
  };

  static Money cost(const Request& request, const TokenUsage& usage) {
    const pricing::UnitPrices& price = request.price;
    return price.input_fresh * usage.input_fresh + price.cache_read * usage.cache_read +
           price.cache_write * usage.cache_write + price.output * usage.output +
           price.reasoning * usage.reasoning;
  }
  static std::string granted(const Request& request, bool exhausted) {
    return fmt::format("{} {} {}", request.held.to_string(), request.tokens, exhausted);
  }
  Request* find(const std::string& id) {
    const auto place = requests_.find(id);
    return place == requests_.end() || place->second.ended ? nullptr : &place->second;
  }
  std::string missing(const std::string& id) const { return requests_.contains(id) ? "conflict" : "unknown"; }
  Money finish(Request& request, Money charged) {
    Wallet& wallet = wallets_.at(request.project);
    const Money released = request.held - charged;
    wallet.held -= request.held;
    wallet.free += released;
    request.ended = true;
    return released;
  }

  pricing::UnitPrices price_;
  std::map<std::string, Wallet> wallets_;
  std::map<std::string, Request> requests_;
  std::map<std::string, std::pair<std::string, Money>> credits_;
};

}  // namespace feilun::ledger
