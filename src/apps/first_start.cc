#include "apps/first_start.h"

#include "base/log.h"
#include "ledger/books.h"

namespace feilun::apps {
namespace {

constexpr std::string_view kDefaultProject = "default";
constexpr std::string_view kOperator = "default";  ///< the organisation that runs the server

Result<> credit_demo_money(ledger::Ledger& ledger, const Settings& settings) {
  const Money amount = TRY(Money::parse(settings.demo_money));
  if (amount.is_zero()) return {};
  const ledger::Balance balance = TRY(ledger.balance(kDefaultProject));
  TRY(ledger.credit(kDefaultProject, amount, balance.currency, "demo money of the first start",
                    "feilun-demo-money"));
  return {};
}

}  // namespace

Result<std::optional<FirstKeys>> prepare_first_start(ledger::Ledger& ledger, const Settings& settings) {
  const auto admins = TRY(ledger.read<std::vector<ledger::Key>>(
      [](ledger::State& state) { return ledger::keys_under(state, kOperator); }));
  if (!admins.empty()) return std::nullopt;
  // Before the keys: a start that dies in between is still a first start the next time.
  TRY(credit_demo_money(ledger, settings));
  FirstKeys keys;
  keys.admin = TRY(ledger.create_key(kDefaultProject, "first admin", ledger::KeyRole::kAdmin)).secret;
  keys.project = TRY(ledger.create_key(kDefaultProject, "first", ledger::KeyRole::kProject)).secret;
  keys.balance = TRY(ledger.balance(kDefaultProject));
  return keys;
}

Result<> publish_missing_prices(ledger::Ledger& ledger, const Settings& settings,
                                const std::vector<std::string>& offerings) {
  const std::string currency = TRY(ledger.balance(kDefaultProject)).currency;
  const WallTime now = SystemClock().wall();
  for (const std::string& offering : offerings) {
    const auto present = ledger.price_at(offering, currency, now);
    if (present) continue;
    if (present.error().code != ErrorCode::kNotFound) return std::unexpected(present.error());
    ledger::PriceVersion price;
    price.offering = offering;
    price.currency = currency;
    const Money input = TRY(pricing::per_million(settings.default_input_price));
    const Money output = TRY(pricing::per_million(settings.default_output_price));
    price.rows = pricing::flat_rows({input, input, input, output, output});
    price.effective_from = now;
    TRY(ledger.set_price(std::move(price)));
    spdlog::info("{} had no price: published {} / {} {} per million input / output tokens", offering,
                 settings.default_input_price, settings.default_output_price, currency);
  }
  return {};
}

}  // namespace feilun::apps
