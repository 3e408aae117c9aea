#include "ledger/tenant_records.h"

#include <algorithm>
#include <boost/json.hpp>

#include "ledger/json_fields.h"

namespace feilun::ledger {
namespace {

namespace json = boost::json;

std::unexpected<Error> unreadable(const Record& record) {
  return fail(ErrorCode::kCorrupt, "the {} {} cannot be read", record.type, record.id);
}

int64_t micros(WallTime time) {
  return time.time_since_epoch().count();
}

constexpr char kHexDigits[] = "0123456789abcdef";

std::string hex(const Hash& hash) {
  std::string text;
  for (const uint8_t byte : hash) text.append({kHexDigits[byte >> 4], kHexDigits[byte & 15]});
  return text;
}

bool unhex(std::string_view text, Hash& hash) {
  if (text.size() != 2 * hash.size()) return false;
  const std::string_view digits = kHexDigits;
  for (size_t i = 0; i < hash.size(); ++i) {
    const size_t high = digits.find(text[2 * i]);
    const size_t low = digits.find(text[2 * i + 1]);
    if (high == digits.npos || low == digits.npos) return false;
    hash[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

}  // namespace

Record record_of(const Organisation& organisation) {
  const json::object body = {{"currency", organisation.currency},
                             {"time_zone", organisation.time_zone},
                             {"credit_limit", organisation.credit_limit.to_pico_string()}};
  return {.type = "organisation",
          .id = organisation.id,
          .name = organisation.name,
          .json = json::serialize(body)};
}

Result<Organisation> organisation_from(const Record& record) {
  JsonFields body(record.json);
  Organisation organisation{.id = record.id, .name = record.name};
  organisation.currency = body.text("currency");
  organisation.time_zone = body.text("time_zone");
  organisation.credit_limit = body.money("credit_limit");
  if (!body.ok()) return unreadable(record);
  return organisation;
}

Record record_of(const Project& project) {
  const json::object body = {{"currency", project.currency}, {"payer", project.payer}};
  return {.type = "project",
          .id = project.id,
          .parent = project.organisation,
          .name = project.name,
          .json = json::serialize(body)};
}

Result<Project> project_from(const Record& record) {
  JsonFields body(record.json);
  Project project{.id = record.id, .name = record.name, .organisation = record.parent};
  project.currency = body.text("currency");
  project.payer = body.text("payer");
  if (!body.ok()) return unreadable(record);
  return project;
}

Record record_of(const KeyRow& row) {
  json::object body = {{"name", row.key.name},
                       {"hint", row.key.hint},
                       {"role", row.key.role == KeyRole::kAdmin ? "admin" : "project"},
                       {"hash", hex(row.hash)},
                       {"created", micros(row.key.created)}};
  if (row.key.revoked) body["revoked"] = micros(*row.key.revoked);
  return {.type = "key", .id = row.key.id, .parent = row.key.project_id, .json = json::serialize(body)};
}

Result<KeyRow> key_from(const Record& record) {
  JsonFields body(record.json);
  KeyRow row{.key = {.id = record.id, .project_id = record.parent}, .changed = record.sequence};
  row.key.name = body.text("name");
  row.key.hint = body.text("hint");
  row.key.role = body.text("role") == "admin" ? KeyRole::kAdmin : KeyRole::kProject;
  const bool hashed = unhex(body.text("hash"), row.hash);
  row.key.created = body.time("created").value_or(WallTime());
  row.key.revoked = body.time("revoked");
  if (!body.ok() || !hashed) return unreadable(record);
  return row;
}

}  // namespace feilun::ledger
