#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "ledger/ledger.h"

namespace feilun::ledger {

/// The rules of lots, coverage and refunds once more in the fewest lines: one payer, one price, token by
/// token where that is the simplest. Money is in pico-units.
class ShadowAccounts {
 public:
  struct Purse {
    std::string account;
    bool tokens = false;
    bool for_nano = true;
    int64_t priority = 0;
    int64_t expires = 0;
    int64_t left = 0;
  };
  struct Draw {
    size_t purse;
    int64_t drawn, spent = 0;
  };
  struct Request {
    int64_t input = 0, output = 0, covered = 0;
    std::vector<Draw> draws;
    bool open = true;
  };

  explicit ShadowAccounts(const pricing::UnitPrices& units) : units_(units) {
    purses.push_back({.account = "wallet", .priority = 1 << 20, .expires = INT64_MAX});
  }

  /// Holds; returns the output tokens granted, −1 when refused.
  int64_t hold(const std::string& id, int64_t input, int64_t slice) {
    const int64_t covered_input = std::min(input, left_of(true));
    const int64_t for_input = (input - covered_input) * worst_in();
    if (for_input > left_of(false)) return -1;
    Request request{.input = input};
    draw(request, true, covered_input);
    draw(request, false, for_input);
    const int64_t granted = grow(request, slice, covered_input == input);
    if (granted == 0 && slice > 0) {
      undraw(request);
      return -1;
    }
    requests[id] = request;
    return granted;
  }
  int64_t top_up(Request& request, int64_t more) {
    return grow(request, more, request.covered >= request.input);
  }
  /// Returns what was charged.
  int64_t settle(Request& request, const TokenUsage& usage) {
    std::vector<int64_t> units;
    const auto add = [&](int64_t tokens, Money unit) {
      units.insert(units.end(), static_cast<size_t>(tokens), static_cast<int64_t>(unit.pico()));
    };
    add(usage.input_fresh, units_.input_fresh);
    add(usage.cache_write, units_.cache_write);
    add(usage.cache_read, units_.cache_read);
    add(usage.output, units_.output);
    add(usage.reasoning, units_.reasoning);
    const int64_t covered = std::min<int64_t>(request.covered, std::ssize(units));
    int64_t due = 0;
    for (size_t i = static_cast<size_t>(covered); i < units.size(); ++i) due += units[i];
    const int64_t held = sum(request, false);
    over_hold += due > held ? 1 : 0;
    due = std::min(due, held);
    end(request, due, covered);
    return due;
  }
  void end(Request& request, int64_t money, int64_t tokens) {
    request.open = false;
    for (Draw& draw : request.draws) {
      int64_t& due = purses[draw.purse].tokens ? tokens : money;
      draw.spent = std::min(due, draw.drawn);
      due -= draw.spent;
      give_back(draw.purse, draw.drawn - draw.spent);
    }
  }
  /// Gives back at most so much of either.
  void refund(Request& request, int64_t money, int64_t tokens) {
    for (auto draw = request.draws.rbegin(); draw != request.draws.rend(); ++draw) {
      int64_t& want = purses[draw->purse].tokens ? tokens : money;
      const int64_t part = std::min(want, draw->spent);
      want -= part;
      draw->spent -= part;
      give_back(draw->purse, part);
    }
  }
  int64_t spent(const Request& request, bool tokens) const {
    int64_t all = 0;
    for (const Draw& draw : request.draws) all += purses[draw.purse].tokens == tokens ? draw.spent : 0;
    return all;
  }
  void sweep() {
    for (Purse& purse : purses) {
      if (purse.expires > now) continue;
      breakage[purse.tokens] += purse.left;
      purse.left = 0;
    }
  }

  std::vector<Purse> purses;  ///< the wallet, then lots in the order of their creation
  std::map<std::string, Request> requests;
  std::map<bool, int64_t> breakage;
  int64_t now = 0;
  int64_t over_hold = 0;  ///< settles that would have charged more than was held: there must be none

 private:
  int64_t worst_in() const {
    return static_cast<int64_t>(std::max({units_.input_fresh, units_.cache_read, units_.cache_write}).pico());
  }
  int64_t worst_out() const { return static_cast<int64_t>(std::max(units_.output, units_.reasoning).pico()); }
  bool usable(const Purse& purse) const { return purse.for_nano && purse.expires > now; }
  int64_t left_of(bool tokens) const {
    int64_t all = 0;
    for (const Purse& purse : purses) all += purse.tokens == tokens && usable(purse) ? purse.left : 0;
    return all;
  }
  int64_t sum(const Request& request, bool tokens) const {
    int64_t all = 0;
    for (const Draw& draw : request.draws) all += purses[draw.purse].tokens == tokens ? draw.drawn : 0;
    return all;
  }
  int64_t grow(Request& request, int64_t more, bool packages) {
    int64_t granted = 0;
    for (; granted < more; ++granted) {
      if (packages && left_of(true) > 0) {
        draw(request, true, 1);
      } else if (left_of(false) >= worst_out()) {
        draw(request, false, worst_out());
      } else {
        break;
      }
    }
    request.output += granted;
    return granted;
  }
  /// From the first in the order in which they are spent; the order of creation breaks ties.
  void draw(Request& request, bool tokens, int64_t amount) {
    if (tokens) request.covered += amount;
    while (amount > 0) {
      size_t best = 0;
      for (size_t i = 1; i < purses.size(); ++i) {
        const Purse& purse = purses[i];
        if (purse.tokens != tokens || purse.left == 0 || !usable(purse)) continue;
        if (best == 0 || std::pair(purse.priority, purse.expires) <
                             std::pair(purses[best].priority, purses[best].expires)) {
          best = i;
        }
      }
      const int64_t part = std::min(amount, purses[best].left);
      amount -= part;
      purses[best].left -= part;
      const auto known = std::ranges::find(request.draws, best, &Draw::purse);
      if (known == request.draws.end()) {
        request.draws.push_back({best, part});
      } else {
        known->drawn += part;
      }
    }
  }
  void undraw(Request& request) {
    for (const Draw& draw : request.draws) purses[draw.purse].left += draw.drawn;
  }
  void give_back(size_t purse, int64_t amount) {
    (purses[purse].expires > now ? purses[purse].left : breakage[purses[purse].tokens]) += amount;
  }

  pricing::UnitPrices units_;
};

}  // namespace feilun::ledger
