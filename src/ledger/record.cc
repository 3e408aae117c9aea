#include "ledger/record.h"

#include "ledger/fields.h"

namespace feilun::ledger {
namespace {

std::string record_key(std::string_view type, std::string_view id) {
  return KeyWriter('R').text(type).text(id).take();
}
std::string list_key(const Record& record) {
  return KeyWriter('L').text(record.type).text(record.parent).text(record.id).take();
}
std::string name_key(std::string_view type, std::string_view name) {
  return KeyWriter('N').text(type).text(name).take();
}
std::string change_key(std::string_view type, int64_t sequence) {
  return KeyWriter('C').text(type).number(sequence).take();
}

Result<Record> read_record(std::string_view type, std::string_view id, std::string_view value) {
  FieldReader fields(value);
  Record record{.type = std::string(type), .id = std::string(id)};
  record.sequence = fields.number();
  record.parent = fields.text();
  record.name = fields.text();
  if (!fields.ok()) return fail(ErrorCode::kCorrupt, "the {} {} cannot be read", type, id);
  record.json = fields.rest();
  return record;
}

/// The rows of a list after the one of `after`; ids stand between the prefix and a zero byte.
Result<std::vector<StateRow>> listed(State& state, const std::string& prefix, std::string_view after,
                                     int64_t limit) {
  if (after.empty() || after.find('\0') != after.npos) return state.scan(prefix, limit);
  return state.scan_after(prefix, prefix + std::string(after) + '\0', limit);
}

std::string id_behind(const StateRow& row, const std::string& prefix) {
  return row.key.substr(prefix.size(), row.key.size() - prefix.size() - 1);
}

}  // namespace

Result<std::optional<Record>> find_record(State& state, std::string_view type, std::string_view id) {
  if (id.find('\0') != id.npos) return std::nullopt;
  const std::string* value = TRY(state.get(record_key(type, id)));
  if (value == nullptr) return std::nullopt;
  return TRY(read_record(type, id, *value));
}

Result<std::optional<Record>> find_record_named(State& state, std::string_view type, std::string_view name) {
  if (name.empty() || name.find('\0') != name.npos) return std::nullopt;
  const std::string* id = TRY(state.get(name_key(type, name)));
  if (id == nullptr) return std::nullopt;
  return find_record(state, type, std::string(*id));
}

Result<std::vector<Record>> records_of(State& state, std::string_view type, std::string_view parent,
                                       int64_t limit, std::string_view after) {
  std::vector<Record> records;
  const std::string prefix = KeyWriter('L').text(type).text(parent).take();
  for (const StateRow& row : TRY(listed(state, prefix, after, limit))) {
    auto record = TRY(find_record(state, type, id_behind(row, prefix)));
    if (!record) return fail(ErrorCode::kCorrupt, "a list of {}s names one that is not there", type);
    records.push_back(*std::move(record));
  }
  return records;
}

Result<std::vector<Record>> all_records(State& state, std::string_view type, int64_t limit,
                                        std::string_view after) {
  std::vector<Record> records;
  const std::string prefix = KeyWriter('R').text(type).take();
  for (const StateRow& row : TRY(listed(state, prefix, after, limit))) {
    records.push_back(TRY(read_record(type, id_behind(row, prefix), row.value)));
  }
  return records;
}

Result<std::vector<Record>> records_changed_after(State& state, std::string_view type, int64_t sequence,
                                                  int64_t limit) {
  std::vector<Record> records;
  const std::string prefix = KeyWriter('C').text(type).take();
  for (const StateRow& row : TRY(state.scan_after(prefix, change_key(type, sequence), limit))) {
    auto record = TRY(find_record(state, type, row.value));
    if (!record) return fail(ErrorCode::kCorrupt, "a change of a {} names one that is not there", type);
    records.push_back(*std::move(record));
  }
  return records;
}

void write_record_rows(State& state, const std::optional<Record>& before,
                       const std::optional<Record>& after) {
  if (before) {
    state.erase(record_key(before->type, before->id));
    state.erase(list_key(*before));
    if (!before->name.empty()) state.erase(name_key(before->type, before->name));
    state.erase(change_key(before->type, before->sequence));
  }
  if (!after) return;
  FieldWriter value;
  value.number(after->sequence).text(after->parent).text(after->name).raw(after->json);
  state.put(record_key(after->type, after->id), value.take());
  state.put(list_key(*after), "");
  if (!after->name.empty()) state.put(name_key(after->type, after->name), after->id);
  state.put(change_key(after->type, after->sequence), after->id);
}

}  // namespace feilun::ledger
