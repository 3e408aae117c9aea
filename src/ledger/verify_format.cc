#include "ledger/verify_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace feilun::ledger::audit {
namespace {

using enum Type;

constexpr int128 kTrillion = 1'000'000'000'000;
constexpr int64_t kTokensMax = 1'000'000'000'000;
constexpr int64_t kLongestNanoseconds = 100'000'000'000'000'000;
constexpr int128 kDearestHour = kTrillion * 100'000'000;
constexpr int128 kCostMax = kTrillion * kTrillion * 10;

std::vector<KindSpec> administrative_kinds() {
  return {
      {Kind::kAct,
       "act",
       {{"actor", kText},
        {"verb", kText},
        {"type", kText},
        {"id", kText},
        {"parent", kText},
        {"name", kText},
        {"before", kJson},
        {"after", kJson}}},
      {Kind::kCredit,
       "credit",
       {{"payer", kText}, {"actor", kText}, {"reason", kText}, {"idempotency_key", kText}}},
      {Kind::kGrant, "grant", {{"lot", kText}, {"payer", kText}, {"actor", kText}, {"reason", kText}}},
      {Kind::kExpire, "expire", {{"lot", kText}, {"payer", kText}}},
      {Kind::kRefund,
       "refund",
       {{"request", kText}, {"actor", kText}, {"reason", kText}, {"idempotency_key", kText}}},
      {Kind::kTrueUp,
       "true_up",
       {{"commitment", kText},
        {"organisation", kText},
        {"month", kText},
        {"committed", kAmount},
        {"charged", kAmount}}},
      {Kind::kInvoice,
       "invoice",
       {{"actor", kText}, {"number", kText}, {"payer", kText}, {"name", kText}, {"record", kJson}}},
      {Kind::kCreditNote,
       "credit_note",
       {{"actor", kText},
        {"number", kText},
        {"invoice", kText},
        {"payer", kText},
        {"name", kText},
        {"record", kJson}}},
      {Kind::kPayment,
       "payment",
       {{"actor", kText},
        {"id", kText},
        {"invoice", kText},
        {"payer", kText},
        {"applied", kAmount},
        {"record", kJson}}},
      {Kind::kAlert,
       "alert",
       {{"limit", kText},
        {"scope", kText},
        {"measure", kByte, 2},
        {"window_s", kNumber},
        {"currency", kCurrency},
        {"percent", kNumber},
        {"used", kAmount},
        {"bound", kAmount},
        {"until", kTime}}},
      {Kind::kNotified,
       "notified",
       {{"alert", kNumber}, {"webhook", kText}, {"tries", kNumber}, {"delivery", kByte}}},
  };
}

std::vector<KindSpec> request_kinds() {
  return {
      {Kind::kHold,
       "hold",
       {{"request", kText},
        {"key", kText},
        {"project", kText},
        {"payer", kText},
        {"offering", kText},
        {"tier", kByte, 3},
        {"price", kNumber},
        {"input_tokens", kNumber, kTokensMax},
        {"output_tokens", kNumber, kTokensMax},
        {"covered_tokens", kNumber, 2 * kTokensMax},
        {"exhausted", kByte, 1},
        {"lease", kText}}},
      {Kind::kTopUp,
       "top_up",
       {{"request", kText}, {"output_tokens", kNumber, kTokensMax}, {"exhausted", kByte, 1}}},
      {Kind::kMark, "mark", {{"request", kText}, {"usage", kUsage}}},
      {Kind::kSettle,
       "settle",
       {{"request", kText},
        {"outcome", kByte, 4},
        {"row", kNumber},
        {"usage", kUsage},
        {"spent", kPostings}}},
      {Kind::kRelease, "release", {{"request", kText}, {"outcome", kByte, 4}}},
      {Kind::kCost,
       "cost",
       {{"request", kText},
        {"attributed_ns", kNumber, kLongestNanoseconds},
        {"saved_ns", kNumber, kLongestNanoseconds},
        {"kv_byte_seconds", kNumber},
        {"cost_model", kNumber},
        {"currency", kCurrency},
        {"per_hour", kAmount, kDearestHour},
        {"cost", kAmount, kCostMax}}},
      {Kind::kClaim,
       "claim",
       {{"request", kText}, {"key", kText}, {"idempotency_key", kText}, {"body", kText}}},
  };
}

const std::vector<KindSpec>& kinds() {
  static const std::vector<KindSpec> kAll = [] {
    auto all = administrative_kinds();
    std::ranges::copy(request_kinds(), std::back_inserter(all));
    return all;
  }();
  return kAll;
}

std::vector<TableSpec> administrative_tables() {
  return {
      {'A', "account", {{"account", kText}, {"currency", kCurrency}}, {{"balance", kAmount}}},
      {'R',
       "record",
       {{"type", kText}, {"id", kText}},
       {{"last act", kNumber}, {"parent", kText}, {"name", kText}, {"body", kRest}}},
      {'L', "list entry", {{"type", kText}, {"parent", kText}, {"id", kText}}, {{"value", kRest}}},
      {'N', "name", {{"type", kText}, {"name", kText}}, {{"id", kRest}}},
      {'C', "change", {{"type", kText}, {"sequence", kNumber}}, {{"id", kRest}}},
      {'T', "audit log", {{"organisation", kText}, {"mirrored sequence", kNumber}}, {{"act", kRest}}},
      {'S', "counter", {{"counter", kText}}, {{"number", kNumber}}},
      {'P',
       "prices",
       {{"offering", kText}, {"currency", kText}, {"organisation", kText}},
       {{"versions", kIntervals}}},
      {'K',
       "credited idempotency key",
       {{"idempotency key", kText}},
       {{"payer", kText}, {"currency", kCurrency}, {"amount", kAmount}, {"entry", kNumber}}},
      {'D', "live lots", {{"payer", kText}}, {{"lots", kRest}}},
      {'X', "expiry", {{"expires", kTime}, {"lot", kText}}, {{"value", kRest}}},
      {'Z',
       "invoice item",
       {{"payer", kText}, {"month", kNumber}, {"item", kByte}, {"lot", kText}},
       {{"count", kNumber}, {"amount", kAmount}}},
      {'a',
       "open invoice",
       {{"payer", kText}, {"number", kText}},
       {{"currency", kCurrency},
        {"due", kNumber},
        {"total", kAmount},
        {"paid", kAmount},
        {"credited", kAmount}}},
      {'g',
       "refunds of a month",
       {{"payer", kText},
        {"month", kNumber},
        {"project", kText},
        {"offering", kText},
        {"tier", kByte},
        {"price", kNumber}},
       {{"refunded", kAmount}, {"elsewhere", kAmount}}},
      {'G', "free money", {{"payer", kText}}, {{"amount", kAmount}}},
      {'J',
       "true-up",
       {{"commitment", kText}, {"month", kText}},
       {{"charged", kAmount}, {"shortfall", kAmount}, {"entry", kNumber}}},
      {'Q', "limits", {{"scope", kText}}, {{"limits", kRest}}},
      {'W', "limit's window", {{"limit", kText}}, {{"window", kRest}}},
      {'O', "notification", {{"due", kTime}, {"alert", kNumber}, {"webhook", kText}}, {{"state", kRest}}},
  };
}

/// `of_keys`: each API key has sums of its own.
TableSpec usage_by(char letter, const char* name, const char* period, bool of_keys) {
  TableSpec table{letter, name, {{"payer", kText}, {period, kNumber}, {"project", kText}}, {}};
  if (of_keys) table.key.push_back({"key", kText});
  table.key.insert(table.key.end(),
                   {{"offering", kText}, {"tier", kByte}, {"price", kNumber}, {"row", kNumber}});
  table.value = {{"requests", kNumber},
                 {"usage", kUsage, INT64_MAX},
                 {"covered", kUsage, INT64_MAX},
                 {"charged", kAmount}};
  return table;
}

std::vector<TableSpec> request_tables() {
  return {
      {'H',
       "open request",
       {{"request", kText}},
       {{"key", kText},
        {"project", kText},
        {"payer", kText},
        {"offering", kText},
        {"currency", kCurrency},
        {"tier", kByte},
        {"price", kNumber},
        {"input tokens", kNumber},
        {"output tokens", kNumber},
        {"covered tokens", kNumber},
        {"draws", kPostings},
        {"mark", kUsage},
        {"entry of the hold", kNumber},
        {"lease", kText}}},
      {'E', "ended request", {{"request", kText}}, {{"entry of its end", kNumber}}},
      {'U',
       "usage of project",
       {{"project", kText}},
       // A sum of many requests: a class of it may hold more than one request's bound.
       {{"requests", kNumber}, {"usage", kUsage, INT64_MAX}, {"charged", kAmount}}},
      usage_by('B', "hour's usage", "hour", true),
      usage_by('b', "day's usage", "day", true),
      usage_by('M', "month's usage", "month", false),
      {'V', "volume", {{"payer", kText}, {"month", kNumber}, {"offering", kText}}, {{"tokens", kNumber}}},
      {'I',
       "claimed idempotency key",
       {{"key", kText}, {"idempotency key", kText}},
       {{"request", kText}, {"body", kText}, {"time", kTime}}},
      // Kept for a day beside the journal: no entry tells of it.
      {'Y', "kept reply", {{"time", kTime}, {"request", kText}}, {{"reply", kRest}}, false},
      {'F', "refunds of request", {{"request", kText}}, {{"refunds", kRest}}},
  };
}

const std::vector<TableSpec>& tables() {
  static const std::vector<TableSpec> kAll = [] {
    auto all = administrative_tables();
    std::ranges::copy(request_tables(), std::back_inserter(all));
    return all;
  }();
  return kAll;
}

const TableSpec* table_of(std::string_view key) {
  const auto place =
      std::ranges::find_if(tables(), [&](const TableSpec& table) { return key.starts_with(table.letter); });
  return place == tables().end() ? nullptr : &*place;
}

}  // namespace

bool is_replayed(std::string_view key) {
  const TableSpec* table = table_of(key);
  return table == nullptr || table->replayed;
}

std::string replayed_tables() {
  std::string letters;
  for (const TableSpec& table : tables()) letters.append(table.replayed ? 1 : 0, table.letter);
  return letters;
}

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const KindSpec& each : kinds()) names.emplace_back(each.name);
  return names;
}

std::expected<Entry, std::string> read_payload(std::string_view bytes) {
  FieldsReader in(bytes);
  Entry entry;
  const auto kind = static_cast<Kind>(in.byte());
  const auto place = std::ranges::find(kinds(), kind, &KindSpec::kind);
  if (place == kinds().end()) return std::unexpected("there is no such kind of entry");
  entry.spec = &*place;
  entry.fields = in.read(entry.spec->fields);
  entry.postings = in.postings();
  in.end();
  if (!in.fault().empty()) return std::unexpected(in.fault());
  return entry;
}

std::string row_name(std::string_view key) {
  const TableSpec* table = table_of(key);
  if (table == nullptr) return fmt::format("row {} of no known table", shown(key));
  FieldsReader in(key.substr(1));
  const Fields fields = in.read_key(table->key);
  in.end();
  if (!in.fault().empty()) return fmt::format("{} with the key {} that cannot be", table->name, shown(key));
  std::string name = table->name;
  for (const Value& value : fields.all()) name += " " + shown(value);
  return name;
}

std::string difference(std::string_view key, std::string_view found, std::string_view right) {
  const TableSpec* table = table_of(key);
  if (table == nullptr) return "its table is unknown";
  FieldsReader found_in(found);
  FieldsReader right_in(right);
  const Fields found_fields = found_in.read(table->value);
  const Fields right_fields = right_in.read(table->value);
  found_in.end();
  if (!found_in.fault().empty()) return "it cannot be read: " + found_in.fault();
  std::string all;
  for (size_t i = 0; i < table->value.size(); ++i) {
    const Value& is = found_fields.all()[i];
    const Value& should_be = right_fields.all()[i];
    if (is == should_be) continue;
    all += fmt::format("{}{} is {}, not {}", all.empty() ? "" : "; ", table->value[i].name, shown(is),
                       shown(should_be));
  }
  return all;
}

}  // namespace feilun::ledger::audit
