// /v1/organization/wallets and /v1/organization/prices
#include <charconv>

#include "gateway/admin_routes.h"
#include "ledger/tenant_records.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Books;
using ledger::Project;
using ledger::State;
using pricing::PriceVersion;

/// `credit_limit`: of the organisation; the projects of "default" are prepaid.
json::object wallet_json(std::string_view id, std::string_view name, const ledger::Balance& balance,
                         Money credit_limit = {}) {
  return {{"id", id},
          {"object", "organization.wallet"},
          {"name", name},
          {"currency", balance.currency},
          {"available", balance.available().to_string()},
          {"posted", balance.posted.to_string()},
          {"held", balance.pending.to_string()},
          {"credit_limit", credit_limit.to_string()}};
}

json::object price_json(const PriceVersion& price) {
  json::object shown = json::parse(pricing::to_json(price)).as_object();
  const bool ends = price.effective_until != WallTime::max();
  shown["id"] = std::to_string(price.id);
  shown["object"] = "organization.price";
  shown["organization"] = price.organisation.empty() ? json::value(nullptr) : json::value(price.organisation);
  shown["effective_from"] = unix_seconds(price.effective_from);
  shown["effective_until"] = ends ? unix_seconds(price.effective_until) : json::value(nullptr);
  for (const char* ours : {"organisation", "from", "until"}) shown.erase(ours);
  return shown;
}

Result<Money> per_million_of(const AdminBody& body, std::string_view name, const std::string& otherwise) {
  const std::string text = TRY(body.text(name)).value_or(otherwise);
  auto price = pricing::per_million(text);
  if (!price) price.error().param = name;
  return price;
}

/// The price behind which the page begins; 0 of the first page.
template <typename IsSeen>
Result<int64_t> read_price_cursor(State& state, const Page& page, IsSeen is_seen) {
  int64_t id = 0;
  const char* end = page.after.data() + page.after.size();
  if (page.after.empty()) return id;
  if (std::from_chars(page.after.data(), end, id).ptr != end) return unknown_cursor(page);
  const auto price = ledger::find_price(state, id);
  if (!price && price.error().code != ErrorCode::kNotFound) return std::unexpected(price.error());
  if (!price || !is_seen(*price)) return unknown_cursor(page);
  return id;
}

}  // namespace

Result<std::string> list_wallets(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    if (call.organisation != "default") {
      const auto owner = TRY(ledger::find_organisation(state, call.organisation));
      if (!page.after.empty() && page.after != owner.id) return unknown_cursor(page);
      if (!page.after.empty()) return list_reply({}, page);
      const auto balance = TRY(ledger::payer_balance(state, owner.id, owner.currency));
      return list_reply({wallet_json(owner.id, owner.name, balance, owner.credit_limit)}, page);
    }
    const auto show = [&](const ledger::Record& record) -> Result<std::optional<json::object>> {
      const Project project = TRY(ledger::project_from(record));
      const auto balance = TRY(ledger::payer_balance(state, project.payer, project.currency));
      return wallet_json(project.id, project.name, balance);
    };
    return list_records(state, "project", call.organisation, page, show);
  });
}

Result<std::string> credit_wallet(AdminCall& call) {
  TRY(call.check_operator("credits wallets"));
  const AdminBody body =
      TRY(AdminBody::read(call.request, {"amount", "currency", "reason", "idempotency_key"}));
  const Money amount = TRY(Money::parse(TRY(body.required("amount"))));
  const std::string currency = TRY(parse_currency(TRY(body.required("currency"))));
  const std::string reason = TRY(body.text("reason")).value_or("top-up");
  const std::string once = TRY(body.idempotency_key());
  const auto balance = TRY(call.write<ledger::Balance>([&](Books& books) -> Result<ledger::Balance> {
    return books.credit(TRY(call.wallet(books.state())), amount, currency, reason, once);
  }));
  const std::string& wallet = call.path_values.at(0);
  const auto payer =
      TRY(call.read<ledger::Payer>([&](State& state) { return ledger::find_payer(state, wallet); }));
  return json::serialize(wallet_json(wallet, payer.name, balance, payer.credit_limit));
}

Result<std::string> list_prices(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    // Another's contract is nobody else's business.
    const auto is_seen = [&](const PriceVersion& version) {
      return version.organisation.empty() || version.organisation == call.organisation;
    };
    int64_t id = TRY(read_price_cursor(state, page, is_seen));
    json::array items;
    while (std::ssize(items) <= page.limit) {
      const auto price = ledger::find_price(state, ++id);
      if (!price && price.error().code == ErrorCode::kNotFound) break;
      const PriceVersion version = TRY(price);
      if (is_seen(version)) items.push_back(price_json(version));
    }
    return list_reply(std::move(items), page);
  });
}

Result<std::string> publish_price(AdminCall& call) {
  TRY(call.check_operator("publishes prices"));
  const AdminBody body =
      TRY(AdminBody::read(call.request, {"offering", "currency", "input", "output", "cache_read",
                                         "cache_write", "reasoning", "effective_from"}));
  PriceVersion price;
  price.offering = TRY(body.required("offering"));
  price.currency = TRY(parse_currency(TRY(body.required("currency"))));
  // For a customer, named by the header openai-organization, it is a contract price.
  if (call.organisation != "default") price.organisation = call.organisation;
  const std::string input = TRY(body.required("input"));
  const std::string output = TRY(body.required("output"));
  price.rows = pricing::flat_rows({.input_fresh = TRY(per_million_of(body, "input", input)),
                                   .cache_read = TRY(per_million_of(body, "cache_read", input)),
                                   .cache_write = TRY(per_million_of(body, "cache_write", input)),
                                   .output = TRY(per_million_of(body, "output", output)),
                                   .reasoning = TRY(per_million_of(body, "reasoning", output))});
  price.effective_from = TRY(body.moment("effective_from")).value_or(call.now);
  if (price.effective_from < call.now) {
    return invalid("effective_from", "'effective_from' is past, and what was charged does not change");
  }
  const auto made = TRY(call.write<PriceVersion>([&](Books& books) { return books.set_price(price); }));
  return json::serialize(price_json(made));
}

}  // namespace feilun::gateway
