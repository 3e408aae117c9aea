#include "ledger/rollups.h"

#include <algorithm>

#include "ledger/fields.h"
#include "pricing/token_sum.h"

namespace feilun::ledger {
namespace {

using std::chrono::hours;

constexpr int64_t kRowsMax = 10'000'000;
constexpr int64_t kRowsAtOnce = 4096;  ///< of a period, behind which others go on
constexpr size_t kSumsBytes = 64;      ///< enough for most

/// Sums by periods of one width, which are numbered from 1970 on, UTC.
struct Width {
  char table;
  hours each;

  int64_t number(WallTime time) const {
    return std::max<int64_t>(0, std::chrono::floor<hours>(time).time_since_epoch() / each);
  }
  WallTime begin(int64_t number) const { return WallTime(number * each); }
  std::string prefix(std::string_view payer) const { return KeyWriter(table).text(payer).take(); }
};
constexpr Width kHours{'B', hours(1)};
constexpr Width kDays{'b', hours(24)};

std::string month_prefix(std::string_view payer, Month month) {
  return KeyWriter('M').text(payer).number(number_of(month)).take();
}
KeyWriter volume_key(std::string_view payer, std::string_view offering, Month month) {
  KeyWriter key('V');
  key.text(payer).number(number_of(month)).text(offering);
  return key;
}

void append_key(KeyWriter& row, const UsageKey& key, bool with_api_key) {
  row.text(key.project_id);
  if (with_api_key) row.text(key.key_id);
  const char tier = static_cast<char>(key.tier);
  row.text(key.offering).raw({&tier, 1}).number(key.price_id).number(key.price_row);
}

/// Reads the fields of a key; a missing one makes ok false.
class KeyReader {
 public:
  explicit KeyReader(std::string_view rest) : rest_(rest) {}
  /// In the key itself.
  std::string_view text() {
    const size_t end = rest_.find('\0');
    if (end == rest_.npos) return fail_all();
    const std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return text;
  }
  int64_t number() {
    uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | byte();
    return static_cast<int64_t>(value);
  }
  uint8_t byte() {
    if (rest_.empty()) {
      fail_all();
      return 0;
    }
    const auto first = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return first;
  }
  bool ok() const { return ok_ && rest_.empty(); }

 private:
  std::string_view fail_all() {
    ok_ = false;
    rest_ = {};
    return {};
  }
  std::string_view rest_;
  bool ok_ = true;
};

Result<UsageSums> read_sums(std::string_view value) {
  FieldReader fields(value);
  UsageSums sums{.requests = fields.number(), .usage = fields.usage(), .covered = fields.usage()};
  sums.charged = fields.amount();
  if (!fields.ok() || !fields.at_end()) return fail(ErrorCode::kCorrupt, "a sum of usage cannot be read");
  return sums;
}

TokenCount tokens_in_volume(const std::string* value) {
  return value == nullptr ? 0 : FieldReader(*value).number();
}

Result<> add_to(State& state, std::string_view key, const UsageSums& more) {
  State::Row& row = *TRY(state.find(key));
  UsageSums sums = row.value() == nullptr ? UsageSums() : TRY(read_sums(*row.value()));
  sums += more;
  FieldWriter value;
  value.reserve(kSumsBytes);
  value.number(sums.requests).usage(sums.usage).usage(sums.covered).amount(sums.charged);
  state.put(row, value.take());
  return {};
}

/// Over the row that was read before, whose memory its texts take. `width`: nullptr for a month.
Result<> read_row(const StateRow& row, size_t prefix, const Width* width, UsageRow& read) {
  KeyReader fields(std::string_view(row.key).substr(prefix));
  if (width != nullptr) read.from = width->begin(fields.number());
  read.key.project_id = fields.text();
  if (width != nullptr) read.key.key_id = fields.text();
  read.key.offering = fields.text();
  read.key.tier = static_cast<ServiceTier>(fields.byte() & 3);
  read.key.price_id = fields.number();
  read.key.price_row = fields.number();
  if (!fields.ok()) return fail(ErrorCode::kCorrupt, "a sum of usage cannot be read");
  read.sums = TRY(read_sums(row.value));
  return {};
}

/// The sums of the periods that begin in `period`.
Result<> each_sum(State& state, const Width& width, std::string_view payer, Period period,
                  const TakeUsage& take) {
  if (period.from >= period.until) return {};
  const std::string prefix = width.prefix(payer);
  const int64_t first = width.number(period.from);
  // The key above which the period begins: the last possible one of the hour or day before.
  std::string after = KeyWriter(width.table).text(payer).number(std::max<int64_t>(first, 1) - 1).take();
  after.append(1, '\xff');
  UsageRow read;
  for (;;) {
    const auto page = TRY(state.scan_after(prefix, after, kRowsAtOnce));
    for (const StateRow& row : page) {
      TRY(read_row(row, prefix.size(), &width, read));
      if (read.from >= period.until) return {};
      if (read.from >= period.from) TRY(take(read));
    }
    if (std::ssize(page) < kRowsAtOnce) return {};
    after = page.back().key;
  }
}

}  // namespace

UsageSums& UsageSums::operator+=(const UsageSums& other) {
  requests += other.requests;
  usage += other.usage;
  covered += other.covered;
  charged += other.charged;
  return *this;
}

Result<> add_usage(State& state, std::string_view payer, WallTime at, Month month, const UsageKey& key,
                   const UsageSums& sums) {
  for (const Width& width : {kHours, kDays}) {
    KeyWriter period(width.table);
    period.text(payer).number(width.number(at));
    append_key(period, key, true);
    TRY(add_to(state, period.view(), sums));
  }
  KeyWriter whole('M');
  whole.text(payer).number(number_of(month));
  append_key(whole, key, false);
  TRY(add_to(state, whole.view(), sums));
  State::Row& volume = *TRY(state.find(volume_key(payer, key.offering, month).view()));
  const TokenCount used = sums.usage.input() + sums.usage.total_output();
  const TokenCount sum = pricing::add_tokens(tokens_in_volume(volume.value()), used);
  state.put(volume, FieldWriter().number(sum).take());
  return {};
}

Result<> each_hour(State& state, std::string_view payer, Period period, const TakeUsage& take) {
  return each_sum(state, kHours, payer, period, take);
}

Result<> each_day(State& state, std::string_view payer, Period period, const TakeUsage& take) {
  const Period whole{std::chrono::ceil<std::chrono::days>(period.from),
                     std::chrono::floor<std::chrono::days>(period.until)};
  if (whole.from >= whole.until) return each_hour(state, payer, period, take);
  TRY(each_hour(state, payer, {period.from, whole.from}, take));
  TRY(each_sum(state, kDays, payer, whole, take));
  return each_hour(state, payer, {whole.until, period.until}, take);
}

Result<std::vector<UsageRow>> hourly_usage(State& state, std::string_view payer, Period period) {
  std::vector<UsageRow> rows;
  TRY(each_hour(state, payer, period, [&](const UsageRow& row) -> Result<> {
    rows.push_back(row);
    return {};
  }));
  return rows;
}

Result<std::vector<UsageRow>> monthly_usage(State& state, std::string_view payer, Month month) {
  std::vector<UsageRow> rows;
  const std::string prefix = month_prefix(payer, month);
  for (const StateRow& row : TRY(state.scan(prefix, kRowsMax))) {
    TRY(read_row(row, prefix.size(), nullptr, rows.emplace_back()));
  }
  return rows;
}

Result<Money> charged_in(State& state, std::string_view payer, Month month) {
  Money charged;
  for (const UsageRow& row : TRY(monthly_usage(state, payer, month))) charged += row.sums.charged;
  return charged;
}

Result<TokenCount> volume(State& state, std::string_view payer, std::string_view offering, Month month) {
  return tokens_in_volume(TRY(state.get(volume_key(payer, offering, month).view())));
}

Result<std::vector<std::string>> payers_with_usage(State& state) {
  std::vector<std::string> payers;
  std::string after = "B";
  for (;;) {
    const auto next = TRY(state.scan_after("B", after, 1));
    if (next.empty()) return payers;
    payers.emplace_back(KeyReader(std::string_view(next[0].key).substr(1)).text());
    after = kHours.prefix(payers.back());
    after.append(9, '\xff');
  }
}

}  // namespace feilun::ledger
