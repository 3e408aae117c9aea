#include "ledger/journal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "ledger/verify_format.h"

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
    EXPECT_EQ(audit::ValueBytes().amount(amount).take(), view(bytes.back()));
  }
  EXPECT_TRUE(std::ranges::is_sorted(bytes));
  EXPECT_EQ(amount_bytes(Money())[0], 0x80);
}

std::string settle_payload() {
  Payload payload(EntryKind::kSettle);
  payload.text("req_1").byte(2).number(300);
  payload.usage(
      {.input_fresh = 1, .cache_read = 127, .cache_write = 128, .output = 1'000'000, .reasoning = 0});
  payload.postings({{"wallet:proj_1", "CNY", Money::pico(5)}});
  payload.postings({{"hold:proj_1", "CNY", Money::pico(-5)}, {"revenue", "CNY", Money::pico(5)}});
  return payload.take();
}

TEST(Journal, PayloadsAreReadBackFieldByField) {
  const auto entry = audit::read_payload(settle_payload());
  ASSERT_TRUE(entry) << entry.error();
  EXPECT_EQ(entry->kind(), audit::Kind::kSettle);
  EXPECT_EQ(entry->text("request"), "req_1");
  EXPECT_EQ(entry->number("outcome"), 2);
  EXPECT_EQ(entry->number("row"), 300);
  EXPECT_EQ(entry->usage(), (audit::Classes{{1, 127, 128, 1'000'000, 0}}));
  ASSERT_EQ(entry->fields.postings("spent").size(), 1u);
  ASSERT_EQ(entry->postings.size(), 2u);
  EXPECT_EQ(entry->postings[0], (audit::Posting{"hold:proj_1", "CNY", -5}));
}

TEST(Journal, BytesOfAPayloadAreTheDocumentedOnes) {
  Payload payload(EntryKind::kTopUp);
  payload.text("r").number(300).byte(1);
  payload.postings({{"revenue", "CNY", Money::pico(1)}});
  const std::string expected("\x06\x01r\xac\x02\x01\x01\x07revenueCNY\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01",
                             34);
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
    return "\x06\x01r" + std::string(number) + std::string("\0\0", 2);
  };
  EXPECT_TRUE(audit::read_payload(top_up("\x05")));
  EXPECT_FALSE(audit::read_payload(top_up(std::string_view("\x85\0", 2))));
  EXPECT_FALSE(audit::read_payload(top_up("\xff\xff\xff\xff\xff\xff\xff\xff\x7f")));
  EXPECT_FALSE(audit::read_payload(top_up("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")));
}

TEST(Journal, EachEntrySealsTheOneBefore) {
  const WallTime now{std::chrono::microseconds(7)};
  const JournalRow first = chain({}, now, "a");
  const JournalRow second = chain({first.sequence, first.hash}, now, "a");
  EXPECT_EQ(first.sequence, 1);
  EXPECT_EQ(second.sequence, 2);
  EXPECT_NE(second.hash, first.hash);
  EXPECT_NE(chain({0, second.hash}, now, "a").hash, first.hash);
  EXPECT_NE(chain({1, {}}, now, "a").hash, first.hash);
  EXPECT_NE(chain({}, now + std::chrono::microseconds(1), "a").hash, first.hash);
  EXPECT_NE(chain({}, now, "b").hash, first.hash);
}

}  // namespace
}  // namespace feilun::ledger
