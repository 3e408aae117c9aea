#include "ledger/verify_paper.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

namespace feilun::ledger::audit {
namespace {

using simdjson::dom::element;

constexpr int128 kMost = int128{1} << 110;  ///< beyond what amounts can be; sums of many fit still

/// Reads members; the first that is not there or of another type spoils all.
class Members {
 public:
  explicit Members(element from) : from_(from) {}

  std::string text(std::string_view name) {
    std::string_view value;
    ok_ = ok_ && from_[name].get(value) == simdjson::SUCCESS;
    return std::string(value);
  }
  int64_t number(std::string_view name) {
    int64_t value = 0;
    ok_ = ok_ && from_[name].get(value) == simdjson::SUCCESS;
    return value;
  }
  int128 amount(std::string_view name) {
    std::string_view digits;
    ok_ = ok_ && from_[name]["pico"].get(digits) == simdjson::SUCCESS;
    const bool negative = digits.starts_with('-');
    if (negative) digits.remove_prefix(1);
    ok_ = ok_ && !digits.empty() && digits.size() <= 38;
    int128 value = 0;
    for (const char c : ok_ ? digits : std::string_view()) {
      ok_ = ok_ && c >= '0' && c <= '9';
      value = value * 10 + (c - '0');
    }
    ok_ = ok_ && value < kMost;
    return ok_ ? (negative ? -value : value) : 0;
  }
  std::vector<element> array(std::string_view name) {
    simdjson::dom::array array;
    ok_ = ok_ && from_[name].get(array) == simdjson::SUCCESS;
    return ok_ ? std::vector<element>(array.begin(), array.end()) : std::vector<element>();
  }
  bool ok() const { return ok_; }

 private:
  element from_;
  bool ok_ = true;
};

/// The smallest coin of a currency, in pico-units.
int128 coin_of(std::string_view currency) {
  constexpr std::string_view kNone = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
  constexpr std::string_view kThree = "BHD IQD JOD KWD LYD OMR TND";
  if (kNone.find(currency) != kNone.npos) return 1'000'000'000'000;
  return kThree.find(currency) != kThree.npos ? 1'000'000'000 : 10'000'000'000;
}

bool read_line(element from, PaperLine& line) {
  Members members(from);
  line = {members.text("kind"),         members.text("project_id"),  members.text("offering"),
          members.text("service_tier"), members.text("token_class"), members.text("reference")};
  line.price = members.number("price_id");
  line.quantity = members.number("quantity");
  line.covered = members.number("covered");
  line.unit = members.amount("unit_price");
  line.exact = members.amount("exact");
  line.amount = members.amount("amount");
  line.tax = members.amount("tax");
  return members.ok();
}

bool read_times(element root, Members& members, Paper& paper) {
  std::string_view from, until;
  if (root["period"]["from"].get(from) || root["period"]["until"].get(until)) return false;
  const auto begin = parse_iso8601(from);
  const auto end = parse_iso8601(until);
  const auto due = parse_day(members.text("due_on"));
  if (!begin || !end || !due) return false;
  paper.period = {*begin, *end};
  paper.due_on = *due;
  return true;
}

/// A number divided and rounded, halves away from zero.
int128 rounded(int128 value, int128 by) {
  const int128 half = by / 2;
  return (value < 0 ? value - half : value + half) / by;
}

int128 rounded_down(int128 value, int128 by) {
  const int128 rest = value % by;
  return value - rest - (rest < 0 ? by : 0);
}

}  // namespace

std::string text_of(std::string_view json, std::string_view name) {
  const auto document = JsonDocument::parse(json);
  std::string_view text;
  if (!document || document->root()[name].get(text)) return {};
  return std::string(text);
}

std::expected<Paper, std::string> read_paper(std::string_view json) {
  const auto document = JsonDocument::parse(json);
  if (!document || !document->root().is_object()) return std::unexpected("it is no JSON object");
  const element root = document->root();
  Members members(root);
  Paper paper;
  const std::string object = members.text("object");
  paper.number = members.text("number");
  paper.organisation = members.text("organisation_id");
  paper.currency = members.text("currency");
  paper.issued = members.text("issued");
  if (object == "credit_note") paper.corrects = members.text("corrects");
  paper.coin = coin_of(paper.currency);
  bool ok = read_times(root, members, paper) && paper.currency.size() == 3;
  for (const element each : members.array("lines")) {
    paper.lines.emplace_back();
    ok = ok && read_line(each, paper.lines.back());
  }
  for (const element each : members.array("taxes")) {
    Members tax(each);
    paper.taxes.push_back({tax.text("name"), tax.text("percent"), tax.amount("amount")});
    ok = ok && tax.ok();
  }
  paper.net = members.amount("net");
  paper.total = members.amount("total");
  paper.paid = members.amount("paid");
  paper.due = members.amount("due");
  paper.exact = members.amount("exact");
  paper.residue = members.amount("residue");
  if (!ok || !members.ok()) return std::unexpected("a member of it is missing or of another type");
  return paper;
}

std::string fault_of_sums(const Paper& paper) {
  int128 exact = 0, net = 0, line_taxes = 0, taxes = 0;
  for (const PaperLine& line : paper.lines) {
    exact += line.exact;
    net += line.amount;
    line_taxes += line.tax;
    if (line.amount % paper.coin != 0 || line.tax % paper.coin != 0) return "a line is not of whole coins";
  }
  for (const PaperTax& tax : paper.taxes) taxes += tax.amount;
  if (exact != paper.exact) return "its exact lines do not sum to its exact sum";
  if (net != paper.net) return "its lines do not sum to its net";
  if (line_taxes != taxes) return "its lines' taxes do not sum to its taxes";
  if (paper.residue != exact - net) return "its residue is not what rounding took";
  if (paper.total != net + taxes) return "its total is not net and taxes";
  if (paper.due != paper.total - paper.paid) return "what is due is not its total less what was paid";
  return {};
}

std::string fault_of_rounding(const Paper& paper) {
  if (paper.net != rounded(paper.exact, paper.coin) * paper.coin) return "its net is rounded wrongly";
  // Largest remainder: whoever was rounded up lost at least as much as whoever was not.
  int128 least_up = paper.coin, most_down = 0;
  for (const PaperLine& line : paper.lines) {
    const int128 down = rounded_down(line.exact, paper.coin);
    const int128 remainder = line.exact - down;
    if (line.amount == down) {
      most_down = std::max(most_down, remainder);
    } else if (line.amount == down + paper.coin) {
      least_up = std::min(least_up, remainder);
    } else {
      return "a line is off by more than a coin";
    }
  }
  if (least_up < most_down) return "a coin went to a line that lost less than another";
  for (const PaperTax& tax : paper.taxes) {
    if (tax.amount != tax_on(paper.net, tax.percent, paper.coin)) return "a tax is not its percentage";
  }
  return {};
}

int128 tax_on(int128 net, std::string_view percent, int128 coin) {
  int64_t millionths = 0;
  int decimals = -1;
  for (const char c : percent) {
    if (c == '.' && decimals < 0) {
      decimals = 0;
      continue;
    }
    if (c < '0' || c > '9' || decimals == 6 || millionths > 100'000'000) return -kMost;
    millionths = millionths * 10 + (c - '0');
    if (decimals >= 0) ++decimals;
  }
  for (int i = std::max(decimals, 0); i < 6; ++i) millionths *= 10;
  if (percent.empty() || millionths > 100'000'000) return -kMost;
  return rounded(net / coin * millionths, 100'000'000) * coin;
}

}  // namespace feilun::ledger::audit
