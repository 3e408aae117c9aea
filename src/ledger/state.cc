#include "ledger/state.h"

#include <algorithm>
#include <utility>

namespace feilun::ledger {
namespace {

/// Beyond this many rows the memory is worth more than the reads it saves.
constexpr size_t kRowsKeptMax = 50'000;

}  // namespace

Result<> State::begin() {
  const ChainHead head = TRY(store_.head());
  if (head != head_ || rows_.size() > kRowsKeptMax) forget();
  head_ = head;
  return {};
}

Result<const std::string*> State::get(const std::string& key) {
  auto place = rows_.find(key);
  if (place == rows_.end()) {
    auto value = TRY(store_.get(key));
    const bool stored = value.has_value();
    place = rows_.emplace(key, Row{.value = std::move(value), .stored = stored}).first;
  }
  return place->second.value ? &*place->second.value : nullptr;
}

void State::change(const std::string& key, std::optional<std::string> value) {
  const auto place = rows_.try_emplace(key).first;
  place->second.value = std::move(value);
  if (!std::exchange(place->second.changed, true)) changed_.push_back(place);
}

void State::put(const std::string& key, std::string value) {
  change(key, std::move(value));
}

void State::erase(const std::string& key) {
  change(key, std::nullopt);
}

Result<std::vector<StateRow>> State::scan(const std::string& prefix, int64_t limit) {
  return scan_range(prefix, after_prefix(prefix), limit);
}

Result<std::vector<StateRow>> State::scan_after(const std::string& prefix, const std::string& after,
                                                int64_t limit) {
  return scan_range(after + '\0', after_prefix(prefix), limit);
}

Result<std::vector<StateRow>> State::scan_range(const std::string& from, const std::string& until,
                                                int64_t limit) {
  const auto first = rows_.lower_bound(from);
  const auto last = rows_.lower_bound(until);
  int64_t erased = 0;
  std::map<std::string, std::string> found;
  for (auto row = first; row != last; ++row) {
    if (!row->second.value) ++erased;
    if (row->second.value && row->second.changed) found.emplace(row->first, *row->second.value);
  }
  for (StateRow& row : TRY(store_.scan(from, until, limit + erased))) {
    const auto known = rows_.find(row.key);
    if (known == rows_.end() || !known->second.changed) found.insert_or_assign(row.key, std::move(row.value));
  }
  std::vector<StateRow> rows;
  for (auto& [key, value] : found) {
    if (std::ssize(rows) == limit) break;
    rows.push_back({key, std::move(value)});
  }
  return rows;
}

Result<> State::expect(const std::vector<std::string>& keys) {
  std::vector<std::string> unknown;
  for (const std::string& key : keys) {
    if (!rows_.contains(key)) unknown.push_back(key);
  }
  if (unknown.empty()) return {};
  auto found = TRY(store_.get_all(unknown));
  for (std::string& key : unknown) rows_.emplace(std::move(key), Row{.stored = false});
  for (StateRow& row : found) rows_[row.key] = {.value = std::move(row.value)};
  return {};
}

int64_t State::append(WallTime time, std::string payload) {
  entries_.push_back(chain(head_, time, std::move(payload)));
  head_ = {entries_.back().sequence, entries_.back().hash};
  return head_.sequence;
}

Result<> State::flush() {
  std::vector<StateChange> changes;
  std::ranges::sort(changed_, {}, [](Rows::iterator place) -> const std::string& { return place->first; });
  for (const Rows::iterator place : changed_) {
    auto& [key, row] = *place;
    if (row.value || row.stored) changes.push_back({key, row.value});
    row.changed = false;
    row.stored = row.value.has_value();
    if (!row.value) rows_.erase(place);
  }
  changed_.clear();
  const std::vector<JournalRow> entries = std::exchange(entries_, {});
  if (!entries.empty()) TRY(store_.append(entries));
  if (!changes.empty()) TRY(store_.write(changes));
  return {};
}

void State::forget() {
  entries_.clear();
  changed_.clear();
  rows_.clear();
  head_ = {};
}

}  // namespace feilun::ledger
