#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "apps/price_period.h"
#include "base/read_file.h"
#include "ledger/books.h"
#include "ledger/preview_month.h"
#include "pricing/price_import.h"
#include "pricing/price_preview.h"
#include "pricing/price_sheet.h"

// Prices that are more than five numbers: sheets, what they would have meant for last month's traffic, and
// public lists to begin from.

namespace feilun::apps {
namespace {

struct SheetOptions : LedgerAccess {
  std::string offering;
  std::string sheet;
  std::string rates;
  std::string organisation;
  PricePeriod period;
  std::string month;
  std::string list;
  std::string provider;
  std::string model;
  bool json = false;
};

/// A file, or standard input for "-".
Result<std::string> read_text(const std::string& path) {
  return read_file(path == "-" ? "/dev/stdin" : path);
}

/// Before the ledger is asked for anything: what is read may be slow to come.
Result<std::vector<ledger::PriceVersion>> versions_of(const SheetOptions& options, WallTime from) {
  const std::string text = TRY(read_text(options.sheet));
  const auto sheet = TRY(pricing::sheet_from_json(text));
  pricing::ExchangeRates rates;
  if (!options.rates.empty()) {
    const std::string dated = TRY(read_text(options.rates));
    rates = TRY(pricing::rates_from_json(dated));
  }
  auto versions = TRY(pricing::resolve(sheet, rates, from));
  for (ledger::PriceVersion& version : versions) {
    version.offering = options.offering;
    version.effective_from = from;
  }
  return versions;
}

/// Whose contract they are, where the options name somebody.
Result<std::vector<ledger::PriceVersion>> with_customer(const SheetOptions& options, ledger::State& state,
                                                        std::vector<ledger::PriceVersion> versions) {
  if (options.organisation.empty()) return versions;
  const std::string id = TRY(ledger::find_organisation(state, options.organisation)).id;
  for (ledger::PriceVersion& version : versions) version.organisation = id;
  return versions;
}

Result<> publish(const SheetOptions& options) {
  const Period period = TRY(options.period.resolve(SystemClock().wall()));
  const auto asked = TRY(versions_of(options, period.from));
  auto ledger = TRY(open_ledger(options, WhenAbsent::kCreate));
  const auto written = TRY(ledger->write<std::vector<ledger::PriceVersion>>(
      [&](ledger::Books& books) -> Result<std::vector<ledger::PriceVersion>> {
        auto versions = TRY(with_customer(options, books.state(), asked));
        for (ledger::PriceVersion& version : versions) {
          version.effective_until = period.until;
          version = TRY(books.set_price(std::move(version)));
        }
        return versions;
      }));
  for (const ledger::PriceVersion& version : written) {
    fmt::print("{}: {} rows in {} {} (version {})\n", version.offering, version.rows.size(), version.currency,
               period_text({version.effective_from, version.effective_until}), version.id);
  }
  return {};
}

Result<> preview(const SheetOptions& options) {
  const Month month = TRY(parse_month(options.month));
  const auto asked = TRY(versions_of(options, SystemClock().wall()));
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  auto versions = TRY(ledger->read<std::vector<ledger::PriceVersion>>(
      [&](ledger::State& state) { return with_customer(options, state, asked); }));
  const pricing::PricePreview shown = TRY(ledger::preview_month(*ledger, std::move(versions), month));
  fmt::print("{}", options.json ? pricing::to_json(shown) + "\n" : pricing::to_table(shown));
  return {};
}

Result<> import(const SheetOptions& options) {
  const std::string text = TRY(read_text(options.list));
  const auto prices = TRY(pricing::read_reference_prices(text));
  if (options.model.empty()) {
    for (const pricing::ReferencePrice& price : prices.all()) {
      if (options.provider.empty() || price.provider == options.provider) {
        fmt::print("{}/{}{}\n", price.provider, price.model, price.sheet ? "" : "  (no price by the token)");
      }
    }
    return {};
  }
  const auto* found = TRY(prices.find(options.provider, options.model, SystemClock().wall()));
  fmt::print("{}\n", pricing::to_json(TRY(found->sheet)));
  for (const auto& [name, value] : found->other) fmt::print(stderr, "not in the sheet: {} {}\n", name, value);
  return {};
}

Result<> list(const SheetOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  return ledger->read<void>([&](ledger::State& state) -> Result<> {
    for (const ledger::Record& record : TRY(ledger::all_records(state, "price", 1'000'000))) {
      if (options.offering.empty() || options.offering == record.parent) fmt::print("{}\n", record.json);
    }
    return {};
  });
}

void add_sheet_options(CLI::App* command, SheetOptions& options) {
  add_data_option(command, options);
  command->add_option("--offering", options.offering, "The model's public name")->required();
  command
      ->add_option("--sheet", options.sheet, "JSON file as docs/prices.md describes; - reads standard input")
      ->required();
  command->add_option("--rates", options.rates,
                      "JSON file of dated exchange rates, for a sheet with \"also\"");
  command->add_option("--organisation", options.organisation, "A contract of this organisation alone");
}

}  // namespace

void add_price_sheet_commands(CLI::App& group, Run& chosen) {
  auto options = std::make_shared<SheetOptions>();
  CLI::App* command = group.add_subcommand(
      "publish", "Publish a price sheet: tiers, lengths, volumes, contracts, several currencies");
  add_sheet_options(command, *options);
  add_period_options(command, options->period);
  on_chosen(command, chosen, options, publish);

  options = std::make_shared<SheetOptions>();
  command = group.add_subcommand(
      "preview", "What a month's requests would have brought at a sheet's prices, by customer");
  add_sheet_options(command, *options);
  command->add_option("--month", options->month, "Such as 2026-10, in each payer's time zone")->required();
  command->add_flag("--json", options->json, "Exact amounts, for programs");
  on_chosen(command, chosen, options, preview);

  options = std::make_shared<SheetOptions>();
  command = group.add_subcommand(
      "import", "Print a sheet to begin from, out of LiteLLM's price map or the data of genai-prices");
  command->add_option("file", options->list, "The list, a JSON file")->required();
  command->add_option("--provider", options->provider, "Such as openai");
  command->add_option("--model", options->model, "The list's name of the model; without it, all are listed");
  on_chosen(command, chosen, options, import);

  options = std::make_shared<SheetOptions>();
  command = group.add_subcommand("list", "Every version that was published, as the journal has it");
  add_data_option(command, *options);
  command->add_option("--offering", options->offering, "Of this model alone");
  on_chosen(command, chosen, options, list);
}

}  // namespace feilun::apps
