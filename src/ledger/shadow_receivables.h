#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ledger/credit_note.h"
#include "ledger/receivables.h"

namespace feilun::ledger {

/// What is owed on invoices, and what comes back of charges, once more: without taxes, and with coins of
/// 10¹⁰ pico-units. It moves no money: whoever asks posts what it answers.
class ShadowReceivables {
 public:
  using PayerMonth = std::pair<std::string, Month>;
  /// A note's exact sum and its net, both above zero where it gives back.
  struct Noted {
    Money exact, net;
  };

  std::map<std::string, Money> free;  ///< what no invoice took of what was put in, by payer

  static std::string kind(const std::string& project, const std::string& offering, ServiceTier tier,
                          int64_t price) {
    return fmt::format("{} {} {} {}", project, offering, static_cast<int>(tier), price);
  }
  void charge(const PayerMonth& whose, const std::string& kind, Money amount, TokenCount tokens) {
    Kind& charged = kinds_[whose][kind];
    charged.charged += amount;
    charged.listed |= tokens > 0;
  }
  /// Whether no credit note gave it back already.
  bool may_refund(const PayerMonth& whose, const std::string& kind, Money amount) const {
    const auto paper = std::ranges::find(papers_, whose, [](const auto& each) { return each.second.whose; });
    if (paper == papers_.end()) return true;
    const auto before = kinds_.find(whose);
    auto kinds = before == kinds_.end() ? std::map<std::string, Kind>() : before->second;
    kinds[kind].refunded += amount;
    return given_once(paper->second, kinds);
  }
  void refund(const PayerMonth& whose, const std::string& kind, Money amount, bool elsewhere) {
    kinds_[whose][kind].refunded += amount;
    if (elsewhere) kinds_[whose][kind].elsewhere += amount;
  }
  Money charged(const PayerMonth& whose) {
    Money sum;
    for (const auto& [name, kind] : kinds_[whose]) sum += kind.charged;
    return sum;
  }

  /// Returns what is paid of it at once.
  Money issue(const PayerMonth& whose, const Invoice& invoice) {
    Paper& paper = papers_[invoice.facts.number];
    paper.whose = whose;
    paper.exact = invoice.exact;
    for (const InvoiceLine& line : invoice.lines) {
      const ChargeLine& of = line.charge;
      const bool usage = of.price_id != 0;
      paper.lines.push_back(
          {usage ? kind(of.project_id, of.offering, of.tier, of.price_id) : "", line.amount, of.amount});
    }
    paper.paid = std::min(invoice.total, free[whose.first]);
    paper.kept = paper.paid;
    paper.open = invoice.total - paper.paid;
    free[whose.first] -= paper.paid;
    return paper.paid;
  }
  Money open(const std::string& invoice) const { return papers_.at(invoice).open; }
  /// Returns what it applies.
  Result<Money> pay(const PaymentRequest& asked) {
    Paper& paper = papers_.at(asked.invoice);
    Money& pool = free[paper.whose.first];
    const Money amount = asked.amount.value();
    const bool back = amount < Money();
    if (!back && paper.open <= Money()) return no(ErrorCode::kConflict);
    auto& [came, own] = paper.came[back ? asked.returns : asked.reference];
    Money others = paper.kept - std::min(came, own);
    for (const auto& [reference, each] : paper.came) others += std::min(each.first, each.second);
    const Money most = std::min(own, std::max(paper.paid - others, Money()));
    if (back && (-amount > came || -amount > most + pool)) return no(ErrorCode::kInvalidArgument);
    if (asked.from_wallet && amount > std::min(paper.open, pool)) return no(ErrorCode::kInvalidArgument);
    const Money applied = back ? std::max(amount, -most) : std::min(amount, paper.open);
    const Money new_money = asked.from_wallet ? Money() : amount;
    if (asked.from_wallet) paper.kept += applied;
    came += new_money;
    own += applied;
    pool += new_money - applied;
    paper.paid += applied;
    paper.open -= applied;
    return applied;
  }
  /// All that is left where no lines are named. `earned`: what revenue has.
  Result<Noted> note(const CreditRequest& asked, Money earned) {
    Paper paper = papers_.at(asked.invoice);
    auto kinds = kinds_[paper.whose];
    auto lines = asked.lines;
    Money net_left;
    for (size_t i = 0; i < paper.lines.size(); ++i) {
      const Line& line = paper.lines[i];
      net_left += line.amount;
      const bool nothing = line.amount.is_zero() && line.exact.is_zero();
      if (asked.lines.empty() && !nothing) lines.push_back({.line = i});
    }
    if (lines.empty()) return no(ErrorCode::kConflict);
    Noted noted;
    for (const CreditedLine& each : lines) {
      Line& line = paper.lines[each.line];
      if (line.amount.is_zero() && line.exact.is_zero()) return no(ErrorCode::kConflict);
      const Money amount = each.amount.value_or(line.amount);
      if (each.amount && (amount <= Money() || amount > line.amount)) return no(ErrorCode::kInvalidArgument);
      const Money exact = amount == line.amount ? line.exact : amount;
      line.amount -= amount;
      line.exact -= exact;
      noted.net += amount;
      noted.exact += exact;
      if (!line.kind.empty()) kinds[line.kind].noted += exact;
      if (line.kind.empty() && exact < Money()) paper.returned -= exact;
    }
    paper.exact -= noted.exact;
    if (noted.net < Money() || noted.net > net_left) return no(ErrorCode::kInvalidArgument);
    if (!given_once(paper, kinds) || noted.exact > earned) return no(ErrorCode::kConflict);
    const Money freed = std::max(noted.net - paper.open, Money());
    paper.paid -= freed;
    paper.open -= noted.net - freed;
    free[paper.whose.first] += freed;
    kinds_[paper.whose] = std::move(kinds);
    papers_[asked.invoice] = std::move(paper);
    return noted;
  }

 private:
  /// Charges of a month of one project, offering, tier and price.
  struct Kind {
    Money charged, refunded, noted;
    Money elsewhere;      ///< refunded to the wallet in another month
    bool listed = false;  ///< the invoice has lines of it
  };
  /// What is left of it; the kind is empty where it is of no usage.
  struct Line {
    std::string kind;
    Money amount, exact;
  };
  struct Paper {
    PayerMonth whose;
    std::vector<Line> lines;
    Money open, paid;
    Money kept;                                           ///< what the wallet ever paid
    std::map<std::string, std::pair<Money, Money>> came;  ///< new money left and applied, by reference
    Money exact;                                          ///< behind notes
    Money returned;                                       ///< what notes took of lines that gave money back
  };

  static std::unexpected<Error> no(ErrorCode code) { return std::unexpected(Error{code, "refused"}); }
  static bool given_once(const Paper& paper, const std::map<std::string, Kind>& kinds) {
    Money twice, elsewhere;
    for (const auto& [name, kind] : kinds) {
      if (!kind.listed) continue;
      elsewhere += kind.elsewhere;
      if (!kind.noted.is_zero()) twice += std::max(Money(), kind.noted + kind.refunded - kind.charged);
    }
    return twice <= paper.returned && (elsewhere.is_zero() || elsewhere <= paper.exact);
  }

  std::map<PayerMonth, std::map<std::string, Kind>> kinds_;
  std::map<std::string, Paper> papers_;  ///< by number
};

}  // namespace feilun::ledger
