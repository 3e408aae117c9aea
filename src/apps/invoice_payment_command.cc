#include <fmt/format.h>

#include <charconv>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "ledger/books.h"
#include "ledger/currency.h"
#include "ledger/invoicing.h"

// What makes an issued invoice smaller: payments and credit notes.

namespace feilun::apps {
namespace {

using ledger::Books;
using ledger::Invoice;
using ledger::Receivable;
using ledger::State;
using ledger::to_decimal;

struct ListOptions : LedgerAccess {
  std::string number;
};

struct PaymentOptions : LedgerAccess {
  std::string number;
  std::string reference;
  std::string amount;
  std::string method = "Bank transfer";
  std::string received;
  std::string returns;
  bool from_wallet = false;
};

struct CreditOptions : LedgerAccess {
  std::string number;
  std::string reason;
  std::vector<std::string> lines;
  std::string idempotency_key;
};

/// What was paid and taken back, and what is left of it all.
Result<> payments(const ListOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  return ledger->read<void>([&](State& state) -> Result<> {
    const Invoice invoice = TRY(ledger::issued_invoice(state, options.number));
    const std::string& currency = invoice.facts.currency;
    const Receivable owed =
        TRY(ledger::find_receivable(state, invoice.facts.organisation_id, options.number));
    fmt::print("{:<25} {:<31} {:>15} {:>15}  {}\n", "RECEIVED", "REFERENCE", "AMOUNT", "OF IT APPLIED",
               "METHOD");
    for (const auto& payment : TRY(ledger::payments_of(state, options.number))) {
      fmt::print("{:<25} {:<31} {:>15} {:>15}  {}\n", payment.received ? format_time(*payment.received) : "-",
                 payment.reference, to_decimal(payment.amount, currency),
                 to_decimal(payment.applied, currency),
                 payment.returns.empty() ? payment.method : "returns " + payment.returns);
    }
    for (const auto& [note, taken] : TRY(ledger::credit_notes_of(state, options.number))) {
      fmt::print("{:<25} {:<31} {:>15} {:>15}  credit note: {}\n", format_time(note.facts.issued),
                 note.facts.number, to_decimal(-note.total, currency), "", note.reason);
    }
    fmt::print("{} {} of {} open, which is {}\n", to_decimal(owed.open(), currency), currency,
               to_decimal(owed.total, currency), state_of(owed));
    return {};
  });
}

Result<> pay(const PaymentOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  ledger::PaymentRequest request{.invoice = options.number, .reference = options.reference};
  if (!options.amount.empty()) request.amount = TRY(Money::parse(options.amount));
  request.method = options.method;
  if (!options.received.empty()) request.received = TRY(parse_time(options.received));
  request.from_wallet = options.from_wallet;
  request.returns = options.returns;
  const auto done =
      TRY(ledger->write<ledger::PaymentDone>([&](Books& books) { return books.pay_invoice(request); }));
  fmt::print("{} {} paid on {}, which is {}; {} open\n", to_decimal(done.applied, done.currency),
             done.currency, done.invoice.number, state_of(done.invoice),
             to_decimal(done.invoice.open(), done.currency));
  const Money beside = done.amount - done.applied;
  if (beside > Money()) {
    fmt::print("{} {} more than was open stay in the wallet\n", to_decimal(beside, done.currency),
               done.currency);
  } else if (beside < Money()) {
    fmt::print("{} {} of it were free in the wallet\n", to_decimal(-beside, done.currency), done.currency);
  }
  return {};
}

/// "3" or "3=1.50".
Result<ledger::CreditedLine> parse_line(const std::string& text) {
  ledger::CreditedLine line;
  const size_t sign = std::min(text.find('='), text.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + sign, line.line);
  if (error != std::errc() || end != text.data() + sign) {
    return fail(ErrorCode::kInvalidArgument, "--line {}: write a line's place, as in 0 or 0=1.50", text);
  }
  if (sign < text.size()) line.amount = TRY(Money::parse(text.substr(sign + 1)));
  return line;
}

Result<> credit(const CreditOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  ledger::CreditRequest request{.invoice = options.number};
  for (const std::string& line : options.lines) request.lines.push_back(TRY(parse_line(line)));
  request.reason = options.reason;
  request.idempotency_key = options.idempotency_key;
  const auto note = TRY(ledger->write<Invoice>([&](Books& books) { return books.credit_invoice(request); }));
  fmt::print("{} takes back {} {} of {}\n", note.facts.number, to_decimal(-note.total, note.facts.currency),
             note.facts.currency, note.corrects);
  return {};
}

void add_pay(CLI::App* group, Run& chosen) {
  auto options = std::make_shared<PaymentOptions>();
  CLI::App* command = group->add_subcommand(
      "pay",
      "Note what was paid for an invoice: it goes into the wallet and lowers what is open. The same "
      "reference "
      "again for the same invoice pays once. What is more than is open stays in the wallet");
  add_data_option(command, *options);
  command->add_option("number", options->number, "Such as 2026-10-0001")->required();
  command->add_option("--reference", options->reference, "The bank's, or one's own")->required();
  command->add_option(
      "--amount", options->amount,
      "Such as 120.50; all that is open if not given; below zero for what went back, as in --amount=-120.50");
  command->add_option("--returns", options->returns,
                      "The reference of the payment that went back; not needed where there is one");
  command->add_option("--method", options->method, "As printed")->capture_default_str();
  command->add_option("--received", options->received, "When it came, such as 2026-12-01; now if not given");
  command->add_flag("--from-wallet", options->from_wallet,
                    "No new money came: take what the owner put into the wallet earlier and no invoice has "
                    "taken yet");
  on_chosen(command, chosen, options, pay);
}

void add_credit(CLI::App* group, Run& chosen) {
  auto options = std::make_shared<CreditOptions>();
  CLI::App* command = group->add_subcommand("credit",
                                            "Issue a credit note: take back lines of an invoice, or parts of "
                                            "them, with their taxes. It lowers what "
                                            "is open; what was paid already is free in the wallet again");
  add_data_option(command, *options);
  command->add_option("number", options->number, "The invoice's, such as 2026-10-0001")->required();
  command->add_option("--reason", options->reason, "Printed on the note")->required();
  command->add_option("--line", options->lines,
                      "A line by its place in the JSON, from 0, or a part of it before tax: 0=1.50. May be "
                      "given again; without any, all that is left of every line is taken back");
  command->add_option("--idempotency-key", options->idempotency_key,
                      "The same key again issues nothing more");
  on_chosen(command, chosen, options, credit);
}

void add_list(CLI::App* group, Run& chosen) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* command = group->add_subcommand(
      "payments", "What was paid for an invoice and what credit notes took back, and what is open");
  add_data_option(command, *options);
  command->add_option("number", options->number, "Such as 2026-10-0001")->required();
  on_chosen(command, chosen, options, payments);
}

}  // namespace

void add_invoice_payment_commands(CLI::App& invoice_group, Run& chosen) {
  add_pay(&invoice_group, chosen);
  add_list(&invoice_group, chosen);
  add_credit(&invoice_group, chosen);
}

}  // namespace feilun::apps
