#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "ledger/books.h"
#include "ledger/currency.h"
#include "ledger/invoice_formats.h"
#include "ledger/invoicing.h"

namespace feilun::apps {
namespace {

using ledger::Books;
using ledger::Invoice;
using ledger::Receivable;
using ledger::State;
using ledger::to_decimal;

struct InvoiceOptions : LedgerAccess {
  std::string owner;
  std::string month;
  std::string number;
  std::string format = "json";
  std::string state;
  std::string day;
};

struct BillingOptions : LedgerAccess {
  std::string owner;
  bool seller = false;
  std::optional<std::string> name;
  std::vector<std::string> address;
  std::optional<std::string> tax_number;
  std::vector<std::string> taxes;
  bool no_tax = false;
  std::optional<int> due_days;

  bool changes() const {
    return name || tax_number || due_days || no_tax || !address.empty() || !taxes.empty();
  }
};

constexpr int64_t kInvoicesMax = 10'000'000;

Result<std::string> formatted(const Invoice& invoice, const std::string& format) {
  if (format == "json") return ledger::invoice_json(invoice) + "\n";
  if (format == "csv") return ledger::invoice_csv(invoice);
  if (format == "html") return ledger::invoice_html(invoice);
  return fail(ErrorCode::kInvalidArgument, "--format {}: json, csv and html are known", format);
}

void print_issued(const Invoice& invoice) {
  fmt::print("{}  {}  {} {}, due {}\n", invoice.facts.number, invoice.facts.buyer.name,
             to_decimal(invoice.total, invoice.facts.currency), invoice.facts.currency,
             to_string(invoice.due_on));
}

Result<> run(const InvoiceOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const Month month = TRY(parse_month(options.month));
  int64_t count = 0;
  TRY(ledger::run_invoices(*ledger, month, SystemClock().wall(), "", [&](const Invoice& invoice) {
    print_issued(invoice);
    ++count;
  }));
  fmt::print(stderr, "{} invoices issued for {}\n", count, to_string(month));
  return {};
}

Result<> preview(const InvoiceOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const Month month = TRY(parse_month(options.month));
  const auto invoice = TRY(ledger->read<Invoice>([&](State& state) -> Result<Invoice> {
    const ledger::Buyer buyer = TRY(ledger::find_buyer(state, options.owner));
    return ledger::draft_invoice(state, buyer, month, SystemClock().wall());
  }));
  fmt::print("{}", TRY(formatted(invoice, options.format)));
  return {};
}

/// The id of the owner asked for; empty for all.
Result<std::string> owner_id(State& state, const std::string& owner) {
  if (owner.empty()) return std::string();
  return TRY(ledger::find_buyer(state, owner)).id;
}

Result<> list(const InvoiceOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  return ledger->read<void>([&](State& state) -> Result<> {
    const std::string payer = TRY(owner_id(state, options.owner));
    fmt::print("{:<13} {:<23} {:<5} {:>16} {:>15}  {:<11} {}\n", "NUMBER", "OWNER", "", "TOTAL", "OPEN",
               "DUE", "STATE");
    for (const Receivable& each : TRY(ledger::receivables(state, payer, kInvoicesMax))) {
      if (!options.state.empty() && options.state != state_of(each)) continue;
      fmt::print("{:<13} {:<23} {:<5} {:>16} {:>15}  {:<11} {}\n", each.number,
                 TRY(ledger::find_buyer(state, each.organisation_id)).name, each.currency,
                 to_decimal(each.total, each.currency), to_decimal(each.open(), each.currency),
                 to_string(each.due_on), state_of(each));
    }
    return {};
  });
}

Result<> show(const InvoiceOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto paper = TRY(ledger->read<Invoice>([&](State& state) -> Result<Invoice> {
    auto invoice = ledger::issued_invoice(state, options.number);
    if (invoice || invoice.error().code != ErrorCode::kNotFound) return invoice;
    const auto note = ledger::find_credit_note(state, options.number);
    if (!note && note.error().code == ErrorCode::kNotFound) return invoice;
    return TRY(note).note;
  }));
  fmt::print("{}", TRY(formatted(paper, options.format)));
  return {};
}

Result<> ageing(const InvoiceOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  std::optional<Day> on;
  if (!options.day.empty()) on = TRY(parse_day(options.day));
  return ledger->read<void>([&](State& state) -> Result<> {
    const std::string payer = TRY(owner_id(state, options.owner));
    const auto all = TRY(ledger::ageing(state, payer, SystemClock().wall(), on));
    fmt::print("{:<23} {:<3} {:>14} {:>14} {:>14} {:>14} {:>14} {:>14}\n", "OWNER", "", "NOT DUE", "1-30",
               "31-60", "61-90", "OVER 90", "SUM");
    for (const auto& [key, open] : all) {
      const auto& [id, currency] = key;
      fmt::print("{:<23} {:<3}", TRY(ledger::find_buyer(state, id)).name, currency);
      for (const Money amount : {open.current, open.days_1_to_30, open.days_31_to_60, open.days_61_to_90,
                                 open.days_over_90, open.total()}) {
        fmt::print(" {:>14}", to_decimal(amount, currency));
      }
      fmt::print("\n");
    }
    return {};
  });
}

void print_billing(const ledger::Billing& billing) {
  fmt::print("name        {}\n", billing.party.name.empty() ? "(its own)" : billing.party.name);
  for (const std::string& line : billing.party.address) fmt::print("address     {}\n", line);
  if (!billing.party.tax_number.empty()) fmt::print("tax number  {}\n", billing.party.tax_number);
  if (!billing.taxes) fmt::print("taxes       (the seller's)\n");
  for (const auto& tax : billing.taxes.value_or(std::vector<ledger::TaxRate>())) {
    fmt::print("tax         {} {}%\n", tax.name, tax.percent);
  }
  if (billing.taxes && billing.taxes->empty()) fmt::print("taxes       none\n");
  fmt::print("due         {}\n", billing.due_days ? fmt::format("after {} days", *billing.due_days)
                                                  : "as the seller says, or after 30 days");
}

Result<> apply(const BillingOptions& options, ledger::Billing& billing) {
  if (options.name) billing.party.name = *options.name;
  if (!options.address.empty()) billing.party.address = options.address;
  if (options.tax_number) billing.party.tax_number = *options.tax_number;
  if (options.due_days) billing.due_days = options.due_days;
  if (options.no_tax || !options.taxes.empty()) billing.taxes.emplace();
  for (const std::string& tax : options.taxes) billing.taxes->push_back(TRY(ledger::parse_tax(tax)));
  return {};
}

Result<> billing(const BillingOptions& options) {
  if (options.seller == !options.owner.empty()) {
    return fail(ErrorCode::kInvalidArgument, "name one owner with --owner, or the seller with --seller");
  }
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto known = [&](State& state) -> Result<ledger::Billing> {
    const std::string id =
        options.seller ? std::string(ledger::kSeller) : TRY(owner_id(state, options.owner));
    return ledger::find_billing(state, id);
  };
  if (!options.changes()) {
    print_billing(TRY(ledger->read<ledger::Billing>(known)));
    return {};
  }
  print_billing(TRY(ledger->write<ledger::Billing>([&](Books& books) -> Result<ledger::Billing> {
    ledger::Billing changed = TRY(known(books.state()));
    TRY(apply(options, changed));
    return books.set_billing(std::move(changed));
  })));
  return {};
}

void add_owner(CLI::App* command, std::string& owner, bool required = false) {
  command->add_option("--owner", owner, "Organisation, or project with a wallet of its own: name or id")
      ->required(required);
}

void add_month(CLI::App* command, InvoiceOptions& options) {
  command->add_option("--month", options.month, "Such as 2026-10")->required();
}

void add_format(CLI::App* command, InvoiceOptions& options) {
  command->add_option("--format", options.format, "json, csv or html")->capture_default_str();
}

void add_preview_options(CLI::App* command, InvoiceOptions& options) {
  add_owner(command, options.owner, /*required=*/true);
  add_month(command, options);
  add_format(command, options);
}

void add_list_options(CLI::App* command, InvoiceOptions& options) {
  add_owner(command, options.owner);
  command->add_option("--state", options.state, "Only those: open, partly_paid, paid or credited")
      ->check(CLI::IsMember({"open", "partly_paid", "paid", "credited"}));
}

void add_show_options(CLI::App* command, InvoiceOptions& options) {
  command->add_option("number", options.number, "Such as 2026-10-0001, or 2026-10-0001-C1 of a note")
      ->required();
  add_format(command, options);
}

void add_ageing_options(CLI::App* command, InvoiceOptions& options) {
  add_owner(command, options.owner);
  command->add_option("--on", options.day, "As of this day, such as 2026-12-31; today if not given");
}

struct Subcommand {
  const char* name;
  const char* help;
  Result<> (*run)(const InvoiceOptions&);
  void (*add_options)(CLI::App*, InvoiceOptions&);
};

constexpr Subcommand kSubcommands[] = {
    {"run",
     "Issue what is missing of a month that has ended, each invoice on its own, and print what was issued "
     "now. A run that was cut off is simply run again: what is issued stays as it is. A month is that of the "
     "buyer's time zone; whose month has not ended yet is left for later",
     run, add_month},
    {"preview",
     "What an invoice of the month would say now: usage so far, lots bought, what credits paid, taxes, and "
     "what the wallet would pay of it",
     preview, add_preview_options},
    {"list", "Issued invoices, what is open of each and when it is due", list, add_list_options},
    {"show", "An issued invoice or credit note, the same bytes for ever", show, add_show_options},
    {"ageing", "What is open by the days since it was due; the due day itself is not late", ageing,
     add_ageing_options},
};

void add_papers(CLI::App* group, Run& chosen) {
  for (const Subcommand& each : kSubcommands) {
    auto options = std::make_shared<InvoiceOptions>();
    CLI::App* command = group->add_subcommand(each.name, each.help);
    add_data_option(command, *options);
    each.add_options(command, *options);
    on_chosen(command, chosen, options, each.run);
  }
}

void add_billing(CLI::App* group, Run& chosen) {
  auto options = std::make_shared<BillingOptions>();
  CLI::App* command = group->add_subcommand(
      "billing",
      "Who an owner is on paper, which taxes its invoices have, and when they are due. What is not given "
      "stays; with nothing given, shows what there is. Invoices that were issued never change");
  add_data_option(command, *options);
  add_owner(command, options->owner);
  command->add_flag("--seller", options->seller,
                    "The seller, who issues the invoices; its taxes and days hold where an owner has none");
  command->add_option("--name", options->name, "As printed");
  command->add_option("--address", options->address, "A line; give it again for the next one");
  command->add_option("--tax-number", options->tax_number, "Such as a VAT number");
  command->add_option("--tax", options->taxes, "A name and a percentage, as in VAT=6; may be given again");
  command->add_flag("--no-tax", options->no_tax, "No tax at all, whatever the seller says");
  command->add_option("--due-days", options->due_days, "Days from the issue until it is due");
  on_chosen(command, chosen, options, billing);
}

}  // namespace

void add_invoice_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "invoice",
                              "What organisations owe for a month: invoices, what was paid and credited, and "
                              "what is overdue");
  add_papers(group, chosen);
  add_invoice_payment_commands(*group, chosen);
  add_billing(group, chosen);
}

}  // namespace feilun::apps
