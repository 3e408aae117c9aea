#include "ledger/verify_payload.h"

#include <algorithm>

namespace feilun::ledger::audit {
namespace {

constexpr int128 kTrillionPico = 1'000'000'000'000;
constexpr int128 kUnitMax = kTrillionPico * kTrillionPico;
constexpr int128 kLegMax = kUnitMax * kTrillionPico * 10;
constexpr int64_t kTokensMaxPerClass = 1'000'000'000'000;
constexpr size_t kTextMax = 256;
constexpr size_t kAccountMax = 300;
constexpr uint64_t kLegsMax = 8;

/// Takes fields off the front; after the first fault everything reads as empty and `fault` says what it was.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::string_view raw(size_t count) {
    if (count > rest_.size()) {
      spoil("it ends too early");
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  uint8_t byte(uint8_t max = 255) {
    const std::string_view one = raw(1);
    const uint8_t value = one.empty() ? 0 : static_cast<uint8_t>(one[0]);
    if (value > max) spoil("a field has a value that does not exist");
    return value;
  }

  int64_t number(int64_t max = INT64_MAX) {
    uint64_t value = 0;
    for (int shift = 0; shift < 63; shift += 7) {
      const uint8_t next = byte();
      value |= static_cast<uint64_t>(next & 0x7f) << shift;
      if (next >= 0x80) continue;
      if (next == 0 && shift > 0) spoil("a number is longer than it must be");
      if (value > static_cast<uint64_t>(max)) spoil("a number is out of bounds");
      return fault_.empty() ? static_cast<int64_t>(value) : 0;
    }
    spoil("a number is too long");
    return 0;
  }

  std::string text(size_t max = kTextMax) {
    const auto size = static_cast<size_t>(number());
    if (size > max) spoil("a text is too long");
    return std::string(fault_.empty() ? raw(size) : std::string_view());
  }

  std::string currency() {
    const std::string_view letters = raw(3);
    if (!std::ranges::all_of(letters, [](char c) { return c >= 'A' && c <= 'Z'; })) {
      spoil("a currency is not three capitals");
    }
    return std::string(letters);
  }

  int64_t time() {
    uint64_t value = 0;
    for (const char c : raw(8)) value = value << 8 | static_cast<uint8_t>(c);
    return static_cast<int64_t>(value);
  }

  int128 amount(int128 min, int128 max) {
    const std::string_view bytes = raw(16);
    if (bytes.size() != 16) return 0;
    const int128 value = read_amount(bytes);
    if (value < min || value > max) spoil("an amount is out of bounds");
    return value;
  }

  Classes classes() {
    Classes usage;
    for (int64_t& tokens : usage.tokens) tokens = number(kTokensMaxPerClass);
    return usage;
  }

  std::vector<Leg> legs() {
    std::vector<Leg> legs(static_cast<size_t>(number(kLegsMax)));
    for (Leg& leg : legs) {
      leg.account = text(kAccountMax);
      leg.currency = currency();
      leg.amount = amount(-kLegMax, kLegMax);
      if (leg.amount == 0) spoil("a posting of nothing");
    }
    return legs;
  }

  void spoil(const char* what) {
    if (fault_.empty()) fault_ = what;
    rest_ = {};
  }
  const std::string& fault() const { return fault_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  std::string fault_;
};

void read_price(Reader& in, Entry& entry) {
  entry.price = in.number();
  entry.offering = in.text();
  entry.currency = in.currency();
  for (int128& unit : entry.units) unit = in.amount(0, kUnitMax);
  entry.from = in.time();
  entry.until = in.time();
  entry.ended_price = in.number();
}

void read_hold(Reader& in, Entry& entry) {
  entry.request = in.text();
  entry.key = in.text();
  entry.project = in.text();
  entry.offering = in.text();
  entry.tier = in.byte(3);
  entry.price = in.number();
  entry.input_tokens = in.number(kTokensMaxPerClass);
  entry.output_tokens = in.number(kTokensMaxPerClass);
  entry.exhausted = in.byte(1);
}

void read_settle(Reader& in, Entry& entry) {
  entry.request = in.text();
  entry.key = in.text();
  entry.project = in.text();
  entry.tier = in.byte(3);
  entry.outcome = in.byte(4);
  entry.price = in.number();
  entry.usage = in.classes();
}

void read_cost(Reader& in, Entry& entry) {
  constexpr int64_t kLongest = 100'000'000'000'000'000;
  constexpr int128 kDearestHour = kTrillionPico * 100'000'000;
  entry.request = in.text();
  entry.attributed_ns = in.number(kLongest);
  entry.saved_ns = in.number(kLongest);
  entry.kv_byte_seconds = in.number();
  entry.cost_model = in.number();
  entry.currency = in.currency();
  entry.per_hour = in.amount(0, kDearestHour);
  entry.cost = in.amount(0, 10 * kUnitMax);
}

void read_fields(Reader& in, Entry& entry) {
  switch (entry.kind) {
    case Kind::kProject:
      entry.project = in.text();
      entry.name = in.text();
      entry.organisation = in.text();
      entry.currency = in.currency();
      return;
    case Kind::kKey:
      entry.key = in.text();
      entry.project = in.text();
      entry.name = in.text();
      entry.hint = in.text();
      entry.role = in.byte(1);
      entry.secret_hash = in.raw(32);
      return;
    case Kind::kKeyRevoked:
      entry.key = in.text();
      return;
    case Kind::kPrice:
      return read_price(in, entry);
    case Kind::kCredit:
      entry.project = in.text();
      entry.reason = in.text();
      entry.idempotency_key = in.text();
      return;
    case Kind::kHold:
      return read_hold(in, entry);
    case Kind::kTopUp:
      entry.request = in.text();
      entry.output_tokens = in.number(kTokensMaxPerClass);
      entry.exhausted = in.byte(1);
      return;
    case Kind::kMark:
      entry.request = in.text();
      entry.usage = in.classes();
      return;
    case Kind::kSettle:
      return read_settle(in, entry);
    case Kind::kRelease:
      entry.request = in.text();
      entry.outcome = in.byte(4);
      return;
    case Kind::kCost:
      return read_cost(in, entry);
  }
  in.spoil("there is no such kind of entry");
}

}  // namespace

int128 read_amount(std::string_view sixteen_bytes) {
  unsigned __int128 value = 0;
  for (const char c : sixteen_bytes) value = value << 8 | static_cast<uint8_t>(c);
  return static_cast<int128>(value ^ (static_cast<unsigned __int128>(1) << 127));
}

std::expected<Entry, std::string> read_payload(std::string_view bytes) {
  Reader in(bytes);
  Entry entry;
  if (in.byte() != 1) in.spoil("it is not of format 1");
  entry.kind = static_cast<Kind>(in.byte());
  read_fields(in, entry);
  entry.legs = in.legs();
  if (!in.at_end()) in.spoil("bytes follow its end");
  if (!in.fault().empty()) return std::unexpected(in.fault());
  return entry;
}

}  // namespace feilun::ledger::audit
