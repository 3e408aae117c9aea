#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "ledger/books.h"
#include "ledger/limits.h"

namespace feilun::apps {
namespace {

using ledger::Books;
using ledger::Lot;
using ledger::LotBalance;
using ledger::LotKind;
using ledger::State;

constexpr int64_t kListMax = 1'000'000;

struct LotOptions : LedgerAccess {
  std::string kind;
  std::string amount;
  int64_t tokens = 0;
  std::string paid = "0";
  std::vector<std::string> models;
  int64_t priority = 0;
  std::string expires;
  std::string reason;
  std::string idempotency_key;
  bool all = false;
};

std::string amount_text(const Lot& lot, Money amount) {
  if (lot.unit == ledger::kTokenUnit) return fmt::format("{} tokens", ledger::tokens_in(amount));
  return fmt::format("{} {}", amount.to_string(), lot.unit);
}

Result<Lot> lot_of(const LotOptions& options) {
  Lot lot{.kind = TRY(ledger::parse_lot_kind(options.kind))};
  const bool package = lot.kind == LotKind::kPackage;
  if (package != (options.tokens > 0) || package == !options.amount.empty()) {
    return fail(ErrorCode::kInvalidArgument, "a {} is granted with {}", name_of(lot.kind),
                package ? "--tokens, not --amount" : "--amount, not --tokens");
  }
  lot.amount = package ? ledger::token_amount(options.tokens) : TRY(Money::parse(options.amount));
  lot.paid = TRY(Money::parse(options.paid));
  lot.offerings = options.models;
  lot.priority = options.priority;
  if (!options.expires.empty()) lot.expires = TRY(parse_time(options.expires));
  lot.idempotency_key = options.idempotency_key;
  return lot;
}

Result<> grant(const LotOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  Lot lot = TRY(lot_of(options));
  const auto granted = TRY(ledger->write<LotBalance>([&](Books& books) -> Result<LotBalance> {
    const ledger::Payer payer = TRY(ledger::find_payer(books.state(), options.project));
    lot.unit = lot.kind == LotKind::kPackage ? std::string(ledger::kTokenUnit) : payer.currency;
    return books.grant(options.project, lot, options.reason);
  }));
  fmt::print("{}: {} to {}\n", granted.lot.id, amount_text(granted.lot, granted.left), options.project);
  return {};
}

std::string status_of(const LotBalance& balance, WallTime now) {
  if (balance.lot.expires <= now) return "expired";
  if (balance.left.is_zero()) return "spent";
  return balance.lot.expires == WallTime::max() ? "does not expire"
                                                : "until " + format_time(balance.lot.expires);
}

Result<> list(const LotOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const WallTime now = SystemClock().wall();
  return ledger->read<void>([&](State& state) -> Result<> {
    const ledger::Payer payer = TRY(ledger::find_payer(state, options.project));
    fmt::print("{:<31} {:<8} {:>28} {:>28} {:>8}  {:<29} {}\n", "ID", "KIND", "GRANTED", "LEFT", "PRIORITY",
               "STATE", "MODELS");
    for (const LotBalance& balance : TRY(ledger::lots_of(state, payer.id, kListMax))) {
      const Lot& lot = balance.lot;
      if (!options.all && (balance.left.is_zero() || lot.expires <= now)) continue;
      std::string models;
      for (const std::string& model : lot.offerings) models += (models.empty() ? "" : ",") + model;
      fmt::print("{:<31} {:<8} {:>28} {:>28} {:>8}  {:<29} {}\n", lot.id, name_of(lot.kind),
                 amount_text(lot, lot.amount), amount_text(lot, balance.left), lot.priority,
                 status_of(balance, now), models.empty() ? "all" : models);
    }
    return {};
  });
}

void add_owner_option(CLI::App* command, LotOptions& options) {
  command
      ->add_option("--project", options.project,
                   "Whose wallet it stands beside: a project of 'default', or a customer's organisation")
      ->capture_default_str();
}

}  // namespace

void add_lot_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "lot",
                              "What may be spent beside a wallet: credits, free quotas, packages of tokens, "
                              "savings plans");
  auto options = std::make_shared<LotOptions>();
  CLI::App* command = group->add_subcommand("grant", "Grant a lot");
  add_data_option(command, *options);
  add_owner_option(command, *options);
  command
      ->add_option("--kind", options->kind,
                   "credit and quota (free money), plan (money bought for less than its face), package "
                   "(tokens)")
      ->required();
  command->add_option("--amount", options->amount,
                      "Of a credit, quota or plan: money in the wallet's currency");
  command->add_option("--tokens", options->tokens, "Of a package")
      ->check(CLI::Range(int64_t{1}, ledger::kTokensMax));
  command->add_option("--paid", options->paid, "What the wallet gives for a plan or a package")
      ->capture_default_str();
  command->add_option("--model", options->models, "Good for this model only; again for more");
  command->add_option("--priority", options->priority, "0 to 1000: the lowest is spent first")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  command->add_option("--expires", options->expires,
                      "2026-12-01 or 2026-12-01T08:30:00Z; never if not given");
  command->add_option("--reason", options->reason, "Kept in the journal");
  command->add_option("--idempotency-key", options->idempotency_key,
                      "The same key again grants nothing more");
  command->footer(
      "Packages are spent first, then lots of money, by priority, expiry and age; the wallet comes last.\n"
      "  feilun lot grant --project acme --kind credit --amount 50 --expires 2027-01-01 --reason welcome\n"
      "  feilun lot grant --project acme --kind package --tokens 1000000 --paid 2 --model feilun-nano");
  on_chosen(command, chosen, options, grant);

  CLI::App* list_command = group->add_subcommand("list", "Lots with what is left of them");
  add_data_option(list_command, *options);
  add_owner_option(list_command, *options);
  list_command->add_flag("--all", options->all, "Those that are spent or expired too");
  on_chosen(list_command, chosen, options, list);
}

}  // namespace feilun::apps
