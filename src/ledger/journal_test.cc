#include "ledger/journal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "ledger/verify_payload.h"

namespace feilun::ledger {
namespace {

const std::vector<int128> kAmounts = {
    std::numeric_limits<int128>::min(), -(int128{1} << 100), -256, -1, 0, 1, 255, 256, int128{1} << 64,
    std::numeric_limits<int128>::max()};

TEST(Journal, AmountsSortAsBytesAndComeBack) {
  std::vector<AmountBytes> bytes;
  for (const int128 amount : kAmounts) {
    bytes.push_back(amount_bytes(Money::pico(amount)));
    EXPECT_TRUE(amount_from(bytes.back()).pico() == amount);
    EXPECT_TRUE(audit::read_amount(view(bytes.back())) == amount);
  }
  EXPECT_TRUE(std::ranges::is_sorted(bytes));
  EXPECT_EQ(amount_bytes(Money())[0], 0x80);
}

std::string settle_payload() {
  PayloadWriter payload(EntryKind::kSettle);
  payload.text("req_1").text("key_1").text("proj_1").byte(3).byte(2).number(300);
  payload.usage(
      {.input_fresh = 1, .cache_read = 127, .cache_write = 128, .output = 1'000'000, .reasoning = 0});
  payload.postings({{"hold:proj_1", "CNY", Money::pico(-5)}, {"revenue", "CNY", Money::pico(5)}});
  return payload.bytes();
}

TEST(Journal, PayloadsAreReadBackFieldByField) {
  const auto entry = audit::read_payload(settle_payload());
  ASSERT_TRUE(entry) << entry.error();
  EXPECT_EQ(entry->kind, audit::Kind::kSettle);
  EXPECT_EQ(entry->request, "req_1");
  EXPECT_EQ(entry->key, "key_1");
  EXPECT_EQ(entry->project, "proj_1");
  EXPECT_EQ(entry->tier, 3);
  EXPECT_EQ(entry->outcome, 2);
  EXPECT_EQ(entry->price, 300);
  EXPECT_EQ(entry->usage, (audit::Classes{{1, 127, 128, 1'000'000, 0}}));
  ASSERT_EQ(entry->legs.size(), 2u);
  EXPECT_EQ(entry->legs[0], (audit::Leg{"hold:proj_1", "CNY", -5}));
}

TEST(Journal, BytesOfAPayloadAreTheDocumentedOnes) {
  PayloadWriter payload(EntryKind::kTopUp);
  payload.text("r").number(300).byte(1).postings({{"revenue", "CNY", Money::pico(1)}});
  const std::string expected(
      "\x01\x07\x01r\xac\x02\x01\x01\x07revenueCNY\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 35);
  EXPECT_EQ(payload.bytes(), expected);
}

TEST(Journal, TruncatedOrLengthenedPayloadsAreRefused) {
  const std::string whole = settle_payload();
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(audit::read_payload(whole.substr(0, size))) << size;
  EXPECT_FALSE(audit::read_payload(whole + '\0'));
  EXPECT_TRUE(audit::read_payload(whole));
}

TEST(Journal, NumbersHaveOneSpelling) {
  const auto top_up = [](std::string_view number) {
    return "\x01\x07\x01r" + std::string(number) + std::string("\0\0", 2);
  };
  EXPECT_TRUE(audit::read_payload(top_up("\x05")));
  EXPECT_FALSE(audit::read_payload(top_up(std::string_view("\x85\0", 2))));
  EXPECT_FALSE(audit::read_payload(top_up("\xff\xff\xff\xff\xff\xff\xff\xff\x7f")));
  EXPECT_FALSE(audit::read_payload(top_up("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")));
}

TEST(Journal, EachEntrySealsTheOneBefore) {
  const WallTime now{std::chrono::microseconds(7)};
  const JournalRow first = chain({}, now, EntryKind::kMark, "a");
  const JournalRow second = chain({first.sequence, first.hash}, now, EntryKind::kMark, "a");
  EXPECT_EQ(first.sequence, 1);
  EXPECT_EQ(second.sequence, 2);
  EXPECT_EQ(second.previous, first.hash);
  EXPECT_NE(second.hash, first.hash);
  EXPECT_NE(chain({}, now, EntryKind::kHold, "a").hash, first.hash);
  EXPECT_NE(chain({}, now + std::chrono::microseconds(1), EntryKind::kMark, "a").hash, first.hash);
  EXPECT_NE(chain({}, now, EntryKind::kMark, "b").hash, first.hash);
}

}  // namespace
}  // namespace feilun::ledger
