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

}  // namespace

Result<std::string> list_wallets(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    if (call.organisation != "default") {
      const auto owner = TRY(ledger::find_organisation(state, call.organisation));
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
    int64_t id = 0;
    std::from_chars(page.after.data(), page.after.data() + page.after.size(), id);
    json::array items;
    while (std::ssize(items) <= page.limit) {
      const auto price = ledger::find_price(state, ++id);
      if (!price && price.error().code == ErrorCode::kNotFound) break;
      const PriceVersion version = TRY(price);
      // Another's contract is nobody else's business.
      if (!version.organisation.empty() && version.organisation != call.organisation) continue;
      items.push_back(price_json(version));
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
  constexpr int64_t kSecondsMax = 253'402'300'799;
  price.effective_from = call.now;
  if (const auto from = TRY(body.fields().integer("effective_from", 0, kSecondsMax))) {
    price.effective_from = WallTime(std::chrono::seconds(*from));
    if (price.effective_from < call.now) {
      return std::unexpected(Error{ErrorCode::kInvalidArgument,
                                   "'effective_from' is past, and what was charged does not change",
                                   "effective_from"});
    }
  }
  const auto made = TRY(call.write<PriceVersion>([&](Books& books) { return books.set_price(price); }));
  return json::serialize(price_json(made));
}

}  // namespace feilun::gateway
