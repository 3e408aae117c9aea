#include "gateway/usage_report.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <map>

#include "gateway/admin_call.h"
#include "ledger/books.h"
#include "pricing/token_sum.h"

namespace feilun::gateway {
namespace json = boost::json;
namespace {

using std::chrono::hours;
using std::chrono::seconds;

Result<int64_t> read_number(const net::Request& request, std::string_view name, int64_t otherwise,
                            int64_t least, int64_t most) {
  const auto given = request.query(name);
  if (!given) return otherwise;
  int64_t value = 0;
  const char* end = given->data() + given->size();
  const auto [stop, error] = std::from_chars(given->data(), end, value);
  if (error == std::errc() && stop == end && value >= least && value <= most) return value;
  return std::unexpected(Error{ErrorCode::kInvalidArgument,
                               fmt::format("'{}' must be a whole number from {} to {}", name, least, most),
                               std::string(name)});
}

std::unexpected<Error> wrong(std::string_view param, std::string message) {
  return std::unexpected(Error{ErrorCode::kInvalidArgument, std::move(message), std::string(param)});
}

Result<> read_groups(const net::Request& request, UsageQuery& query) {
  const std::pair<std::string_view, bool UsageQuery::*> known[] = {
      {"project_id", &UsageQuery::by_project}, {"api_key_id", &UsageQuery::by_key},
      {"model", &UsageQuery::by_model},        {"batch", &UsageQuery::by_batch},
      {"service_tier", &UsageQuery::by_tier},  {"line_item", &UsageQuery::by_line}};
  for (const std::string& group : query_values(request, "group_by")) {
    const auto* found = std::ranges::find(known, group, [](const auto& each) { return each.first; });
    if (found == std::end(known)) {
      return wrong("group_by", fmt::format("'{}' is nothing to group by here: project_id, api_key_id, model, "
                                           "batch, service_tier or line_item are",
                                           group));
    }
    query.*(found->second) = true;
  }
  return {};
}

/// What the results of a bucket are told apart by; what is not grouped by is empty.
struct Group {
  std::string project, key, model, tier, line;
  int batch = -1;
  friend auto operator<=>(const Group&, const Group&) = default;
};

std::string_view tier_of(const ledger::UsageRow& row) {
  return pricing::name_of(row.key.tier);
}

Group group_of(const UsageQuery& query, const ledger::UsageRow& row) {
  Group group;
  if (query.by_project) group.project = row.key.project_id;
  if (query.by_key) group.key = row.key.key_id;
  if (query.by_model) group.model = row.key.offering;
  if (query.by_tier) group.tier = tier_of(row);
  if (query.by_batch) group.batch = row.key.tier == ledger::ServiceTier::kBatch ? 1 : 0;
  return group;
}

bool wanted(const std::vector<std::string>& listed, const std::string& id) {
  return listed.empty() || std::ranges::find(listed, id) != listed.end();
}

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value() : json::value(text);
}

/// Calls `take` with each row of the period that the query wants and the view shows.
template <typename Take>
Result<> for_each_row(ledger::State& state, const UsageView& view, const UsageQuery& query, Take&& take) {
  const auto each = query.width == hours(24) ? ledger::each_day : ledger::each_hour;
  std::map<std::string, bool> seen;
  const auto is_seen = [&](const std::string& project) -> Result<bool> {
    if (const auto known = seen.find(project); known != seen.end()) return known->second;
    return seen[project] = TRY(view.sees(project));
  };
  for (const std::string& payer : view.payers) {
    TRY(each(state, payer, query.period, [&](const ledger::UsageRow& row) -> Result<> {
      const bool is_wanted = wanted(query.projects, row.key.project_id) &&
                             wanted(query.keys, row.key.key_id) && wanted(query.models, row.key.offering);
      return is_wanted && TRY(is_seen(row.key.project_id)) ? take(row) : Result<>();
    }));
  }
  return {};
}

using Results = std::map<WallTime, json::array>;

std::string page(const UsageQuery& query, Results results) {
  json::array data;
  WallTime at = query.period.from;
  for (int i = 0; i < query.buckets && at < query.period.until; ++i, at += query.width) {
    data.push_back(
        json::object{{"object", "bucket"},
                     {"start_time", std::chrono::floor<seconds>(at).time_since_epoch().count()},
                     {"end_time", std::chrono::floor<seconds>(at + query.width).time_since_epoch().count()},
                     {"results", std::move(results[at])}});
  }
  const bool more = at < query.period.until;
  json::object reply{{"object", "page"}, {"data", std::move(data)}, {"has_more", more}};
  reply["next_page"] =
      more ? json::value(std::to_string(at.time_since_epoch().count() / 1'000'000)) : json::value();
  return json::serialize(reply);
}

/// One result of a bucket, with the fields that OpenAI has for the kind.
json::object usage_json(const UsageQuery& query, const Group& group, const ledger::UsageSums& sum) {
  json::object result{{"object", "organization.usage.embeddings.result"},
                      {"input_tokens", sum.usage.input()},
                      {"num_model_requests", sum.requests},
                      {"project_id", text_or_null(group.project)},
                      {"user_id", nullptr},
                      {"api_key_id", text_or_null(group.key)},
                      {"model", text_or_null(group.model)}};
  if (query.kind == UsageKind::kEmbeddings) return result;
  result["object"] = "organization.usage.completions.result";
  result["input_cached_tokens"] = sum.usage.cache_read;
  result["input_cache_write_tokens"] = sum.usage.cache_write;
  result["input_uncached_tokens"] = sum.usage.input_fresh;
  result["output_tokens"] = sum.usage.total_output();
  result["input_audio_tokens"] = 0;
  result["output_audio_tokens"] = 0;
  result["service_tier"] = text_or_null(group.tier);
  result["batch"] = group.batch < 0 ? json::value() : json::value(group.batch == 1);
  return result;
}

WallTime bucket_of(const UsageQuery& query, WallTime time) {
  const auto past = time - query.period.from;
  return query.period.from + past / query.width * query.width;
}

}  // namespace

Result<UsageQuery> read_usage_query(const net::Request& request, WallTime now) {
  constexpr int64_t kLatest = 4'000'000'000;
  UsageQuery query;
  const std::string width = request.query("bucket_width").value_or("1d");
  if (width == "1h") {
    query.width = hours(1);
  } else if (width != "1d") {
    return wrong("bucket_width", fmt::format("'{}' is no width of buckets here: 1h and 1d are", width));
  }
  const bool daily = query.width == hours(24);
  if (!request.query("start_time"))
    return wrong("start_time", "'start_time' is missing: seconds since 1970, UTC");
  int64_t start = TRY(read_number(request, "start_time", 0, 0, kLatest));
  const int64_t end = TRY(read_number(
      request, "end_time", std::chrono::floor<seconds>(now).time_since_epoch().count() + 1, 0, kLatest));
  start = std::max(start, TRY(read_number(request, "page", 0, 0, kLatest)));
  query.buckets = static_cast<int>(TRY(read_number(request, "limit", daily ? 7 : 24, 1, daily ? 31 : 168)));
  const auto floor = [&](int64_t time) {
    const int64_t bucket = seconds(query.width).count();
    return WallTime(seconds(time / bucket * bucket));
  };
  query.period = {floor(start), WallTime(seconds(end))};
  query.projects = query_values(request, "project_ids");
  query.keys = query_values(request, "api_key_ids");
  query.models = query_values(request, "models");
  TRY(read_groups(request, query));
  return query;
}

Result<std::string> usage_report(ledger::State& state, const UsageView& view, const UsageQuery& query) {
  std::map<std::pair<WallTime, Group>, ledger::UsageSums> sums;
  UsageQuery read = query;
  read.period.until = std::min(read.period.until, read.period.from + query.width * query.buckets);
  TRY(for_each_row(state, view, read, [&](const ledger::UsageRow& row) -> Result<> {
    const bool of_kind = view.embeds(row.key.offering) == (query.kind == UsageKind::kEmbeddings);
    if (of_kind) sums[{bucket_of(query, row.from), group_of(query, row)}] += row.sums;
    return {};
  }));
  Results results;
  for (const auto& [place, sum] : sums) {
    results[place.first].push_back(usage_json(query, place.second, sum));
  }
  return page(query, std::move(results));
}

Result<std::string> costs_report(ledger::State& state, const UsageView& view, const UsageQuery& query) {
  struct Cost {
    Money amount;
    TokenCount quantity = 0;
  };
  std::map<std::tuple<WallTime, Group, std::string>, Cost> costs;
  std::map<int64_t, ledger::PriceVersion> prices;
  UsageQuery read = query;
  read.period.until = std::min(read.period.until, read.period.from + query.width * query.buckets);
  TRY(for_each_row(state, view, read, [&](const ledger::UsageRow& row) -> Result<> {
    auto price = prices.find(row.key.price_id);
    if (price == prices.end()) {
      price = prices.emplace(row.key.price_id, TRY(ledger::find_price(state, row.key.price_id))).first;
    }
    Group group = group_of(query, row);
    if (query.by_line) group.line = row.key.offering;
    Cost& cost = costs[{bucket_of(query, row.from), group, price->second.currency}];
    cost.amount += row.sums.charged;
    cost.quantity =
        pricing::add_tokens(cost.quantity, row.sums.usage.input() + row.sums.usage.total_output());
    return {};
  }));
  Results results;
  for (const auto& [place, cost] : costs) {
    const auto& [at, group, currency] = place;
    std::string lower = currency;
    for (char& c : lower) c = static_cast<char>(c - 'A' + 'a');
    // The exact amount stands beside the number, which clients read as floating point.
    json::object result{{"object", "organization.costs.result"},
                        {"amount", json::object{{"value", std::stod(cost.amount.to_string())},
                                                {"currency", lower},
                                                {"exact", cost.amount.to_string()}}},
                        {"line_item", text_or_null(group.line)},
                        {"project_id", text_or_null(group.project)},
                        {"api_key_id", text_or_null(group.key)}};
    result["quantity"] = query.by_line ? json::value(cost.quantity) : json::value();
    results[at].push_back(std::move(result));
  }
  return page(query, std::move(results));
}

}  // namespace feilun::gateway
