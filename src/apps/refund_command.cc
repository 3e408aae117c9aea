#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "ledger/books.h"
#include "ledger/limits.h"

namespace feilun::apps {
namespace {

using ledger::Refund;
using ledger::State;

struct RefundOptions : LedgerAccess {
  std::string request_id;
  std::string amount;
  int64_t tokens = 0;
  std::string reason;
  std::string idempotency_key;
};

Result<> print_left(ledger::Ledger& ledger, const std::string& request_id) {
  return ledger.read<void>([&](State& state) -> Result<> {
    const ledger::ChargeLeft left = TRY(ledger::charge_left(state, request_id));
    fmt::print("charged {}, refunded {}, left {}\n", left.charged.to_string(), left.refunded.to_string(),
               (left.charged - left.refunded).to_string());
    if (left.tokens > 0) {
      fmt::print("of packages {} tokens, refunded {}, left {}\n", left.tokens, left.tokens_refunded,
                 left.tokens - left.tokens_refunded);
    }
    return {};
  });
}

Result<> make(const RefundOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  ledger::RefundRequest request{
      .request_id = options.request_id, .reason = options.reason, .idempotency_key = options.idempotency_key};
  if (!options.amount.empty()) request.amount = TRY(Money::parse(options.amount));
  if (options.tokens > 0) request.tokens = options.tokens;
  const auto made = TRY(ledger->write<Refund>([&](ledger::Books& books) { return books.refund(request); }));
  fmt::print("refunded {}", made.amount.to_string());
  if (made.tokens > 0) fmt::print(" and {} tokens", made.tokens);
  fmt::print(" of {} (entry {})\n", options.request_id, made.sequence);
  return print_left(*ledger, options.request_id);
}

Result<> list(const RefundOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  TRY(print_left(*ledger, options.request_id));
  return ledger->read<void>([&](State& state) -> Result<> {
    fmt::print("{:<9} {:>24} {:>15}  {}\n", "ENTRY", "AMOUNT", "TOKENS", "IDEMPOTENCY KEY");
    for (const Refund& refund : TRY(ledger::refunds_of(state, options.request_id))) {
      fmt::print("{:<9} {:>24} {:>15}  {}\n", refund.sequence, refund.amount.to_string(), refund.tokens,
                 refund.idempotency_key);
    }
    return {};
  });
}

}  // namespace

void add_refund_commands(CLI::App& app, Run& chosen) {
  CLI::App* group =
      add_group(app, "refund", "Give back what a request was charged, to where it was drawn from");
  const std::string which = "The request's id: the header x-request-id of its reply";
  auto options = std::make_shared<RefundOptions>();
  CLI::App* command = group->add_subcommand("make", "Refund a request, or a part of its charge");
  add_data_option(command, *options);
  command->add_option("request", options->request_id, which)->required();
  command->add_option("--amount", options->amount,
                      "Money; all that is left of the charge if nothing is given");
  command->add_option("--tokens", options->tokens, "Tokens of packages")
      ->check(CLI::Range(int64_t{1}, ledger::kTokensMax));
  command->add_option("--reason", options->reason, "Kept in the journal");
  command->add_option("--idempotency-key", options->idempotency_key,
                      "The same key for the same request refunds nothing more");
  command->footer(
      "  feilun refund make req_01J… --reason 'the answer was cut off'\n"
      "  feilun refund make req_01J… --amount 0.05 --idempotency-key ticket-81");
  on_chosen(command, chosen, options, make);

  options = std::make_shared<RefundOptions>();
  command = group->add_subcommand("list", "What a request was charged, and what of it was given back");
  add_data_option(command, *options);
  command->add_option("request", options->request_id, which)->required();
  on_chosen(command, chosen, options, list);
}

}  // namespace feilun::apps
