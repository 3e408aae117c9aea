#include "ledger/state.h"

#include <algorithm>
#include <map>
#include <ranges>
#include <utility>

#include "ledger/journal_walk.h"

namespace feilun::ledger {
namespace {

/// Beyond this many rows the memory is worth more than the reads it saves.
constexpr size_t kRowsKeptMax = 50'000;
constexpr int64_t kWholeMax = 10'000;

}  // namespace

Result<> State::begin() {
  const ChainHead head = TRY(store_.head());
  if (head != head_ || rows_.size() > kRowsKeptMax) forget();
  head_ = head;
  return {};
}

State::Row& State::known(std::string_view key) {
  const auto place = rows_.find(key);
  if (place != rows_.end()) return place->second;
  const auto made = rows_.try_emplace(std::string(key)).first;
  made->second.key_ = made->first;
  return made->second;
}

Result<State::Row*> State::find(std::string_view key) {
  const auto place = rows_.find(key);
  if (place != rows_.end()) return &place->second;
  auto value = is_known_whole(key) ? std::nullopt : TRY(store_.get(key));
  Row& row = known(key);
  row.stored_ = value.has_value();
  row.value_ = std::move(value);
  return &row;
}

Result<const std::string*> State::get(std::string_view key) {
  return TRY(find(key))->value();
}

void State::change(Row& row, std::optional<std::string> value) {
  const bool known = row.changed_ || row.value_ || !row.stored_;
  undo_.push_back({&row, std::exchange(row.value_, std::move(value)), row.changed_, row.away_, known});
  row.away_ = false;
  if (!std::exchange(row.changed_, true)) changed_.push_back(&row);
}

void State::put(Row& row, std::string value) {
  change(row, std::move(value));
}

void State::put(std::string_view key, std::string value) {
  change(known(key), std::move(value));
}

void State::put_away(std::string_view key, std::string value) {
  Row& row = known(key);
  change(row, std::move(value));
  row.away_ = true;
}

void State::erase(std::string_view key) {
  change(known(key), std::nullopt);
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
  for (const Row* row : changed_) {
    if (row->key_ < from || row->key_ >= until) continue;
    if (row->value_) {
      found.emplace(row->key_, *row->value_);
    } else {
      ++erased;
    }
  }
  auto stored = TRY(store_.scan(from, until, limit + erased));
  if (found.empty() && erased == 0) return stored;
  for (StateRow& row : stored) {
    const auto here = rows_.find(row.key);
    if (here == rows_.end() || !here->second.changed_) found.insert_or_assign(row.key, std::move(row.value));
  }
  std::vector<StateRow> rows;
  for (auto& [key, value] : found) {
    if (std::ssize(rows) == limit) break;
    rows.push_back({key, std::move(value)});
  }
  return rows;
}

Result<> State::expect(std::vector<std::string> keys) {
  std::erase_if(keys, [&](const std::string& key) { return rows_.contains(key) || is_known_whole(key); });
  if (keys.empty()) return {};
  const auto found = TRY(store_.get_all(keys));
  for (std::string& key : keys) {
    const auto made = rows_.try_emplace(std::move(key)).first;
    made->second.key_ = made->first;
    made->second.stored_ = false;
  }
  for (const StateRow& read : found) {
    Row& row = known(read.key);
    row.value_ = read.value;
    row.stored_ = true;
  }
  return {};
}

Result<> State::know_whole(char table) {
  const std::string prefix(1, table);
  auto rows = TRY(store_.scan(prefix, after_prefix(prefix), kWholeMax));
  if (std::ssize(rows) == kWholeMax) return {};
  for (StateRow& read : rows) {
    if (!rows_.contains(read.key)) known(read.key).value_ = std::move(read.value);
  }
  whole_.push_back(table);
  return {};
}

bool State::is_known_whole(std::string_view key) const {
  return !key.empty() && whole_.find(key.front()) != whole_.npos;
}

Result<JournalRow> State::entry(int64_t sequence) {
  if (sequence > written() && sequence <= head_.sequence) {
    return entries_[static_cast<size_t>(sequence - written() - 1)];
  }
  return journal_entry(store_, sequence);
}

int64_t State::append(WallTime time, std::string payload) {
  entries_.push_back(chain(head_, time, std::move(payload)));
  head_ = {entries_.back().sequence, entries_.back().hash};
  return head_.sequence;
}

Result<> State::flush() {
  std::ranges::sort(changed_, {}, [](const Row* row) { return row->key_; });
  std::vector<StateChange> changes;
  changes.reserve(changed_.size());
  for (const Row* row : changed_) {
    if (row->value_) changes.push_back({row->key_, *row->value_, !row->stored_});
    if (!row->value_ && row->stored_) changes.push_back({row->key_, std::nullopt});
  }
  if (!entries_.empty()) TRY(store_.append(entries_));
  if (!changes.empty()) TRY(store_.write(changes));
  entries_.clear();
  for (Row* row : changed_) {
    row->changed_ = false;
    row->stored_ = true;
    if (!row->value_ || row->away_) rows_.erase(rows_.find(row->key_));
  }
  changed_.clear();
  mark();
  return {};
}

void State::mark() {
  undo_.clear();
  marked_head_ = head_;
  marked_entries_ = entries_.size();
}

bool State::undo() {
  if (undo_.empty() && entries_.size() == marked_entries_) return false;
  for (Before& before : undo_ | std::views::reverse) {
    Row& row = *before.row;
    row.value_ = std::move(before.value);
    row.away_ = before.away;
    row.changed_ = before.changed;
    if (!before.changed) std::erase(changed_, &row);
    if (!before.known) rows_.erase(rows_.find(row.key_));
  }
  undo_.clear();
  entries_.resize(marked_entries_);
  head_ = marked_head_;
  return true;
}

void State::forget() {
  undo_.clear();
  entries_.clear();
  changed_.clear();
  rows_.clear();
  whole_.clear();
  head_ = {};
  ++forgotten_;
}

}  // namespace feilun::ledger
