#include "ledger/audit_export.h"

#include <boost/json.hpp>

#include "base/civil_time.h"
#include "ledger/audit_log.h"
#include "ledger/bytes.h"

namespace feilun::ledger::audit {
namespace {

namespace json = boost::json;

constexpr const char* kTiers[] = {"default", "priority", "flex", "batch"};
constexpr const char* kOutcomes[] = {"completed", "cancelled", "balance", "failed", "recovered"};
constexpr const char* kClasses[] = {"input_fresh", "cache_read", "cache_write", "output", "reasoning"};

std::string time_text(int64_t micros) {
  return to_iso8601(WallTime(std::chrono::microseconds(micros)));
}

void add_amount(json::object& object, std::string_view name, int128 amount) {
  object[name] = Money::pico(amount).to_string();
  object[std::string(name) + "_pico"] = Money::pico(amount).to_pico_string();
}

/// A record's body as it is, but for what opens something: keys' and invitations' hashes, passwords,
/// webhooks' secrets. As text where it is none.
json::value body(const std::string& text) {
  if (text.empty()) return nullptr;
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  if (error) return json::value(text);
  if (json::object* record = value.if_object()) erase_secrets(*record);
  return value;
}

json::value byte_value(std::string_view name, int64_t byte) {
  if (name == "tier") return kTiers[byte];
  if (name == "outcome") return kOutcomes[byte];
  if (name == "exhausted") return byte != 0;
  return byte;
}

void add_field(json::object& object, const Value& value) {
  const std::string_view name = value.spec->name;
  switch (value.spec->type) {
    case Type::kByte:
      object[name] = byte_value(name, value.number);
      return;
    case Type::kNumber:
      object[name] = value.number;
      return;
    case Type::kTime:
      object[name] = time_text(value.number);
      return;
    case Type::kAmount:
      return add_amount(object, name, value.amount);
    case Type::kJson:
      object[name] = body(value.text);
      return;
    case Type::kUsage: {
      json::object usage;
      for (size_t i = 0; i < 5; ++i) usage[kClasses[i]] = value.usage.tokens[i];
      object[name] = std::move(usage);
      return;
    }
    default:
      object[name] = value.text;
  }
}

json::object fields_of(const ReadEntry& read) {
  json::object object;
  for (const Value& value : read.entry.fields.all()) add_field(object, value);
  return object;
}

json::object entry_json(const ReadEntry& read) {
  json::object line = {
      {"sequence", read.sequence}, {"time", time_text(read.time)}, {"kind", read.entry.spec->name}};
  for (auto& [name, value] : fields_of(read)) line[name] = std::move(value);
  json::array postings;
  for (const Posting& posting : read.entry.postings) {
    json::object object = {{"account", posting.account}, {"currency", posting.currency}};
    add_amount(object, "amount", posting.amount);
    postings.push_back(std::move(object));
  }
  line["postings"] = std::move(postings);
  line["hash"] = hex(read.hash);
  return line;
}

std::string json_line(const ReadEntry& read) {
  return json::serialize(entry_json(read)) + "\n";
}

/// What an event is about: the request, or else the first thing that the entry names.
std::string_view subject_of(const ReadEntry& read) {
  for (const std::string_view wanted : {"request", "id", "number", "lot", "payer", "organisation"}) {
    for (const Value& value : read.entry.fields.all()) {
      if (value.spec->name == wanted && !value.text.empty()) return value.text;
    }
  }
  return {};
}

/// CloudEvents 1.0, JSON format, structured mode. An entry's hash is its id: no two ledgers share one.
std::string event_line(const ReadEntry& read) {
  json::object event = {
      {"specversion", "1.0"},         {"id", hex(read.hash)},
      {"source", "/feilun/ledger"},   {"type", fmt::format("feilun.ledger.{}", read.entry.spec->name)},
      {"time", time_text(read.time)}, {"datacontenttype", "application/json"},
      {"data", entry_json(read)}};
  if (const auto subject = subject_of(read); !subject.empty()) event["subject"] = subject;
  return json::serialize(event) + "\n";
}

std::string csv_cell(std::string_view text) {
  std::string cell = "\"";
  for (const char c : text) cell.append(c == '"' ? 2 : 1, c);
  return cell + "\"";
}

std::string csv_lines(const ReadEntry& read) {
  const std::string front =
      fmt::format("{},{},{},", read.sequence, time_text(read.time), read.entry.spec->name);
  const std::string back =
      fmt::format("{},{}\r\n", csv_cell(json::serialize(fields_of(read))), hex(read.hash));
  std::string lines;
  for (const Posting& posting : read.entry.postings) {
    const Money amount = Money::pico(posting.amount);
    lines += fmt::format("{}{},{},{},{},{}", front, csv_cell(posting.account), posting.currency,
                         amount.to_string(), amount.to_pico_string(), back);
  }
  return lines.empty() ? front + ",,,," + back : lines;
}

}  // namespace

Result<int64_t> export_journal(const Place& place, ExportFormat format, const ExportRange& range,
                               const std::function<Result<>(std::string_view)>& write) {
  const auto text = format == ExportFormat::kCsv           ? csv_lines
                    : format == ExportFormat::kCloudEvents ? event_line
                                                           : json_line;
  int64_t entries = 0;
  if (format == ExportFormat::kCsv) {
    TRY(write("sequence,time,kind,account,currency,amount,amount_pico,fields,hash\r\n"));
  }
  TRY(read_journal(place, [&](const ReadEntry& read) -> Result<> {
    if (read.time < range.from || read.time >= range.until) return {};
    ++entries;
    return write(text(read));
  }));
  return entries;
}

}  // namespace feilun::ledger::audit
