#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "apps/price_period.h"

namespace feilun::apps {
namespace {

struct PriceOptions : LedgerAccess {
  std::string offering;
  std::string input;
  std::string output;
  std::string cache_read;
  std::string cache_write;
  std::string reasoning;
  std::string currency = "CNY";
  PricePeriod period;
};

/// Classes that are not given cost what their parent class costs.
Result<> set(const PriceOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kCreate));
  ledger::PriceVersion price;
  price.offering = options.offering;
  price.currency = TRY(parse_currency(options.currency));
  const auto given = [](const std::string& text, const std::string& otherwise) {
    return pricing::per_million(text.empty() ? otherwise : text);
  };
  price.rows = pricing::flat_rows({.input_fresh = TRY(given(options.input, "")),
                                   .cache_read = TRY(given(options.cache_read, options.input)),
                                   .cache_write = TRY(given(options.cache_write, options.input)),
                                   .output = TRY(given(options.output, "")),
                                   .reasoning = TRY(given(options.reasoning, options.output))});
  const WallTime now = SystemClock().wall();
  const Period period = TRY(options.period.resolve(now));
  price.effective_from = period.from;
  price.effective_until = period.until;
  if (!ledger->price_at(price.offering, price.currency, now)) {
    fmt::print(stderr, "'{}' had no price in {} until now\n", price.offering, price.currency);
  }
  const ledger::PriceVersion written = TRY(ledger->set_price(std::move(price)));
  fmt::print("{}: {} / {} {} per million input / output tokens {} (version {})\n", written.offering,
             options.input, options.output, written.currency,
             period_text({written.effective_from, written.effective_until}), written.id);
  return {};
}

}  // namespace

void add_price_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "price", "What tokens cost");
  auto options = std::make_shared<PriceOptions>();
  CLI::App* command =
      group->add_subcommand("set", "Publish a price per million tokens; the old one ends where it begins");
  add_data_option(command, *options);
  command->add_option("--offering", options->offering, "The model's public name")->required();
  command->add_option("--input", options->input, "Per million input tokens, such as 0.3")->required();
  command->add_option("--output", options->output, "Per million output tokens")->required();
  command->add_option("--cache-read", options->cache_read,
                      "Per million cached input tokens; as input if not given");
  command->add_option("--cache-write", options->cache_write,
                      "Per million tokens written to a cache; as input");
  command->add_option("--reasoning", options->reasoning, "Per million reasoning tokens; as output");
  command->add_option("--currency", options->currency, "Currency of the price")->capture_default_str();
  add_period_options(command, options->period);
  on_chosen(command, chosen, options, set);
  add_price_sheet_commands(*group, chosen);
}

}  // namespace feilun::apps
