#include "ledger/state.h"

#include <algorithm>
#include <map>
#include <utility>

#include "ledger/segment.h"

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
  Rows::value_type& row = *rows_.try_emplace(key).first;
  row.second.value = std::move(value);
  row.second.away = false;
  if (!std::exchange(row.second.changed, true)) changed_.push_back(&row);
}

void State::put(const std::string& key, std::string value) {
  change(key, std::move(value));
}

void State::put_away(const std::string& key, std::string value) {
  change(key, std::move(value));
  rows_.find(key)->second.away = true;
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
  int64_t erased = 0;
  std::map<std::string, std::string> found;
  for (const Rows::value_type* row : changed_) {
    if (row->first < from || row->first >= until) continue;
    if (row->second.value) {
      found.emplace(row->first, *row->second.value);
    } else {
      ++erased;
    }
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

Result<std::string> State::entry(int64_t sequence) {
  const int64_t unwritten = head_.sequence - std::ssize(entries_);
  if (sequence > unwritten && sequence <= head_.sequence) {
    return entries_[static_cast<size_t>(sequence - unwritten - 1)].payload;
  }
  auto rows = TRY(store_.entries(sequence - 1, 1));
  if (!rows.empty() && rows[0].sequence == sequence) return std::move(rows[0].payload);
  for (Segment& segment : TRY(store_.segments())) {
    if (sequence < segment.first || sequence > segment.last) continue;
    segment.bytes = TRY(store_.segment_bytes(segment.first));
    const SegmentReader sealed = TRY(SegmentReader::open(std::move(segment)));
    return TRY(sealed.entry(sequence)).payload;
  }
  return fail(ErrorCode::kNotFound, "the journal has no entry {}", sequence);
}

int64_t State::append(WallTime time, std::string payload) {
  entries_.push_back(chain(head_, time, std::move(payload)));
  head_ = {entries_.back().sequence, entries_.back().hash};
  return head_.sequence;
}

Result<> State::flush() {
  std::vector<StateChange> changes;
  std::ranges::sort(changed_, {}, &Rows::value_type::first);
  changes.reserve(changed_.size());
  for (Rows::value_type* place : changed_) {
    auto& [key, row] = *place;
    const bool written = row.value || row.stored;
    if (!row.value || row.away) {
      if (written) changes.push_back({key, std::move(row.value)});
      rows_.erase(rows_.find(key));
      continue;
    }
    changes.push_back({key, row.value});
    row.changed = false;
    row.stored = true;
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
  ++forgotten_;
}

}  // namespace feilun::ledger
