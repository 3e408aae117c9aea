// /v1/organization/prices
#include <charconv>

#include "gateway/admin_routes.h"
#include "gateway/price_sheet_body.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Books;
using ledger::State;
using pricing::PriceVersion;

json::value rate_json(const std::optional<pricing::Rate>& rate) {
  if (!rate) return nullptr;
  return json::object{
      {"from", rate->from}, {"rate", rate->rate.to_string()}, {"since", unix_seconds(rate->since)}};
}

json::object price_json(const PriceVersion& price) {
  json::object shown = json::parse(pricing::to_json(price)).as_object();
  const bool ends = price.effective_until != WallTime::max();
  shown["id"] = std::to_string(price.id);
  shown["object"] = "organization.price";
  shown["organization"] = price.organisation.empty() ? json::value(nullptr) : json::value(price.organisation);
  shown["effective_from"] = unix_seconds(price.effective_from);
  shown["effective_until"] = ends ? unix_seconds(price.effective_until) : json::value(nullptr);
  shown["rate"] = rate_json(price.rate);
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

/// What is the same for all requests: five numbers.
Result<PriceVersion> read_flat_price(const AdminCall& call, const AdminBody& body, WallTime from) {
  if (body.fields().find("rates")) return invalid("rates", "'rates' are of a 'sheet', and there is none");
  PriceVersion price{.offering = TRY(body.required("offering"))};
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
  price.effective_from = from;
  return price;
}

Result<std::vector<PriceVersion>> read_sheet_alone(const AdminCall& call, const AdminBody& body,
                                                   WallTime from) {
  for (const char* name : {"currency", "input", "output", "cache_read", "cache_write", "reasoning"}) {
    if (body.fields().find(name)) return invalid(name, "'{}' stands in the sheet, not beside it", name);
  }
  return read_price_sheet(call, body, from);
}

}  // namespace

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
  const AdminBody body = TRY(
      AdminBody::read(call.request, {"offering", "currency", "input", "output", "cache_read", "cache_write",
                                     "reasoning", "sheet", "rates", "effective_from", "effective_until"}));
  const WallTime from = TRY(body.moment("effective_from")).value_or(call.now);
  const WallTime until = TRY(body.moment("effective_until")).value_or(WallTime::max());
  if (from < call.now) {
    return invalid("effective_from", "'effective_from' is past, and what was charged does not change");
  }
  if (until <= from) return invalid("effective_until", "the price would end before it begins");
  const bool is_sheet = body.fields().find("sheet").has_value();
  std::vector<PriceVersion> prices;
  if (is_sheet) prices = TRY(read_sheet_alone(call, body, from));
  if (!is_sheet) prices.push_back(TRY(read_flat_price(call, body, from)));
  TRY(call.write<void>([&](Books& books) -> Result<> {
    for (PriceVersion& price : prices) {
      price.effective_until = until;
      price = TRY(books.set_price(price));
    }
    return {};
  }));
  if (!is_sheet) return json::serialize(price_json(prices.front()));
  json::array items;
  for (const PriceVersion& price : prices) items.push_back(price_json(price));
  return list_reply(std::move(items), Page{.limit = std::ssize(prices)});
}

}  // namespace feilun::gateway
