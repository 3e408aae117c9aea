#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "ledger/books.h"
#include "ledger/invoice_formats.h"
#include "ledger/invoicing.h"

namespace feilun::apps {
namespace {

struct InvoiceOptions : LedgerAccess {
  std::string owner;
  std::string month;
  std::string number;
  std::string format = "json";
};

Result<std::string> formatted(const ledger::Invoice& invoice, const std::string& format) {
  if (format == "json") return ledger::invoice_json(invoice) + "\n";
  if (format == "csv") return ledger::invoice_csv(invoice);
  if (format == "html") return ledger::invoice_html(invoice);
  return fail(ErrorCode::kInvalidArgument, "--format {}: json, csv and html are known", format);
}

void print_line(std::string_view number, std::string_view owner, const ledger::Invoice& invoice) {
  fmt::print("{}  {}  {} {}\n", number, owner, invoice.total.to_string(), invoice.facts.currency);
}

Result<> run(const InvoiceOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const Month month = TRY(parse_month(options.month));
  const auto issued = TRY(ledger->write<std::vector<ledger::Invoice>>(
      [&](ledger::Books& books) { return books.issue_invoices(month); }));
  for (const ledger::Invoice& invoice : issued) {
    print_line(invoice.facts.number, invoice.facts.buyer.name, invoice);
  }
  fmt::print(stderr, "{} invoices issued for {}\n", issued.size(), to_string(month));
  return {};
}

Result<> preview(const InvoiceOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const Month month = TRY(parse_month(options.month));
  const auto invoice =
      TRY(ledger->read<ledger::Invoice>([&](ledger::State& state) -> Result<ledger::Invoice> {
        const ledger::Buyer buyer = TRY(ledger::find_buyer(state, options.owner));
        return ledger::draft_invoice(state, buyer, month, SystemClock().wall());
      }));
  fmt::print("{}", TRY(formatted(invoice, options.format)));
  return {};
}

Result<> list(const InvoiceOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  return ledger->read<void>([&](ledger::State& state) -> Result<> {
    const std::string id = options.owner.empty() ? "" : TRY(ledger::find_buyer(state, options.owner)).id;
    for (const ledger::IssuedInvoice& issued : TRY(ledger::issued_invoices(state, id))) {
      print_line(issued.number, issued.buyer_name, TRY(ledger::issued_invoice(state, issued.number)));
    }
    return {};
  });
}

Result<> show(const InvoiceOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto invoice = TRY(ledger->read<ledger::Invoice>(
      [&](ledger::State& state) { return ledger::issued_invoice(state, options.number); }));
  fmt::print("{}", TRY(formatted(invoice, options.format)));
  return {};
}

struct Subcommand {
  const char* name;
  const char* help;
  Result<> (*run)(const InvoiceOptions&);
  bool owner, owner_required, month, number, format;
};

constexpr Subcommand kSubcommands[] = {
    {"run", "Issue what is missing of a month that has ended; to be run again, if it was cut off", run, false,
     false, true, false, false},
    {"preview", "What an invoice of the month would say now", preview, true, true, true, false, true},
    {"list", "Issued invoices", list, true, false, false, false, false},
    {"show", "An issued invoice, the same bytes for ever", show, false, false, false, true, true},
};

}  // namespace

void add_invoice_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "invoice", "What organisations owe for a month");
  for (const Subcommand& each : kSubcommands) {
    auto options = std::make_shared<InvoiceOptions>();
    CLI::App* command = group->add_subcommand(each.name, each.help);
    add_data_option(command, *options);
    if (each.owner) {
      auto* owner = command->add_option("--owner", options->owner,
                                        "Organisation, or project with a wallet of its own: name or id");
      if (each.owner_required) owner->required();
    }
    if (each.month) command->add_option("--month", options->month, "Such as 2026-10")->required();
    if (each.number) command->add_option("number", options->number, "Such as 2026-10-0001")->required();
    if (each.format) {
      command->add_option("--format", options->format, "json, csv or html")->capture_default_str();
    }
    on_chosen(command, chosen, options, each.run);
  }
}

}  // namespace feilun::apps
