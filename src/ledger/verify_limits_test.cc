#include <gmock/gmock.h>

#include "ledger/alerts.h"
#include "ledger/verify_story.h"

// The auditor counts what limits count: each rule is broken once, in a journal that is right otherwise.

namespace feilun::ledger {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Value;

constexpr int64_t kSecond = 1'000'000;

/// In the project of Story::begin(), a limit of 100 tokens in a minute that alerts at half of them, and a
/// webhook that is told.
class LimitStory : public Story {
 public:
  LimitStory() {
    begin();
    act("webhook", "whk_1", "org_1", "", "", R"({"url":"https://x","secret":"s","events":[]})");
    act("webhook", "whk_2", "org_1", "", "", R"({"url":"https://y","secret":"s","events":["other"]})");
    act("limit", "lim_1", "proj_1", "", "", limit("100"));
  }
  static std::string limit(std::string_view bound, std::string_view window = "1m") {
    return fmt::format(R"({{"measure":"tokens","window":"{}","bound":"{}","hard":true,"alerts":[50]}})",
                       window, bound);
  }
  /// Of 60 tokens that are used; the alert is to follow.
  void use_sixty(std::string_view id = "r") {
    hold(id, 10, 50, 390);
    settle(id, {.input_fresh = 10, .output = 50}, 390, 330);
  }
  void alert(int64_t used = 60, int64_t percent = 50) {
    Payload payload(EntryKind::kAlert);
    payload.text("lim_1").text("proj_1").byte(1).number(60).raw("CNY").number(percent);
    payload.amount(Quantity::pico(used)).amount(Quantity::pico(100));
    payload.time(WallTime(std::chrono::microseconds(time + 60 * kSecond)));
    alert_ = entries() + 1;
    tell(std::move(payload));
  }
  void notified(int64_t tries, int64_t delivery, std::string_view webhook = "whk_1") {
    Payload payload(EntryKind::kNotified);
    payload.number(alert_).text(webhook).number(tries).byte(static_cast<uint8_t>(delivery));
    tell(std::move(payload));
  }
  size_t waiting() const {
    size_t rows = 0;
    for (const auto& [key, row] : state()) rows += key.starts_with('O');
    return rows;
  }

 private:
  int64_t alert_ = 0;
};

TEST(VerifyLimits, ALimitAnAlertAndItsDeliveryHaveNoProblem) {
  LimitStory story;
  story.use_sixty();
  story.alert();
  EXPECT_EQ(story.waiting(), 1u) << "one webhook wants it";
  story.notified(1, 0);
  story.time += 10 * kSecond;
  story.notified(2, 1);
  EXPECT_EQ(story.waiting(), 0u);
  story.time += 51 * kSecond;  // the minute is over, to its bucket
  story.use_sixty("later");
  story.alert();
  story.act("limit", "lim_1", "proj_1", "", LimitStory::limit("100"), LimitStory::limit("10"));
  story.act("limit", "lim_1", "proj_1", "", LimitStory::limit("10"), "");
  story.use_sixty("unlimited");
  story.end();
  EXPECT_THAT(story.problems, IsEmpty());
}

struct BrokenRule {
  const char* problem;
  void (*tell)(LimitStory&);
  bool is_breach = false;
};

class VerifyLimitRule : public ::testing::TestWithParam<BrokenRule> {};

TEST_P(VerifyLimitRule, IsReportedWhenBroken) {
  LimitStory story;
  ASSERT_THAT(story.problems, IsEmpty());
  GetParam().tell(story);
  story.end();
  EXPECT_THAT(story.problems, Contains(HasSubstr(GetParam().problem)));
  EXPECT_EQ(Value(story.breaches, Contains(HasSubstr(GetParam().problem))), GetParam().is_breach);
}

const BrokenRule kRules[] = {
    {"'lim_1' is exceeded", [](LimitStory& story) { story.hold("r", 10, 91, 677); }, true},
    {"'lim_1' is exceeded",
     [](LimitStory& story) {
       story.hold("r", 10, 90, 670);
       story.top_up("r", 1, 7);
     },
     true},
    {"an alert is missing", [](LimitStory& story) { story.use_sixty(); }},
    {"an alert is missing",
     [](LimitStory& story) {
       story.use_sixty();
       story.credit(5);
       story.alert();
     }},
    {"nothing raised", [](LimitStory& story) { story.alert(); }},
    {"nothing raised",
     [](LimitStory& story) {
       story.use_sixty();
       story.alert();
       story.alert();
     }},
    {"not what was counted",
     [](LimitStory& story) {
       story.use_sixty();
       story.alert(61);
     }},
    {"did not wait",
     [](LimitStory& story) {
       story.use_sixty();
       story.alert();
       story.notified(1, 1, "whk_2");
     }},
    {"did not wait",
     [](LimitStory& story) {
       story.use_sixty();
       story.alert();
       story.notified(1, 1);
       story.notified(2, 1);
     }},
    {"not counted in order",
     [](LimitStory& story) {
       story.use_sixty();
       story.alert();
       story.notified(2, 1);
     }},
    {"tried too often",
     [](LimitStory& story) {
       story.use_sixty();
       story.alert();
       for (int tries = 1; tries <= 9; ++tries) story.notified(tries, 0);
     }},
    {"a limit's terms change",
     [](LimitStory& story) {
       story.act("limit", "lim_1", "proj_1", "", LimitStory::limit("100"), LimitStory::limit("100", "2m"));
     }},
    {"limit's body",
     [](LimitStory& story) { story.act("limit", "lim_2", "proj_1", "", "", LimitStory::limit("-1")); }},
    {"limit's body",
     [](LimitStory& story) {
       story.act("limit", "lim_2", "proj_1", "", "", LimitStory::limit("1", "401d"));
     }},
    {"webhook's body", [](LimitStory& story) { story.act("webhook", "whk_3", "org_1", "", "", "{}"); }},
};
INSTANTIATE_TEST_SUITE_P(Limits, VerifyLimitRule, ::testing::ValuesIn(kRules));

}  // namespace
}  // namespace feilun::ledger
