#include "ledger/verify_replay.h"

#include <gmock/gmock.h>

#include "ledger/verify_story.h"

// Each rule of docs/formats/ledger.md that the auditor knows is broken once, in a journal that is right
// otherwise.

namespace feilun::ledger {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Value;

TEST(VerifyReplay, AJournalThatIsRightHasNoProblem) {
  Story story;
  story.begin();
  story.top_up("open", 10, 70);
  story.settle("open", {.input_fresh = 10, .output = 25}, 250, 180);
  story.cost("open", 3'600'000'000'000, 500, 500);
  story.credit(40'000);
  story.hold("long", 1000, 10, 40'700);
  story.settle("long", {.input_fresh = 900, .cache_read = 100, .output = 9}, 40'700, 28'540, 0, 1);
  story.hold("free", 0, 0, 0);
  story.release("free", 0);
  story.hold("on credit", 0, 3180, 22'260);
  story.release("on credit", 22'260);
  story.price("2", price_json(500, "", "org_1"));
  story.hold("by contract", 1, 1, 11, 2);
  story.release("by contract", 11);
  story.act("project", "proj_1", "org_1", "renamed", kProject, kProject);
  story.act("project", "proj_1", "org_1", "renamed", kProject, "");
  EXPECT_THAT(story.problems, IsEmpty());
}

TEST(VerifyReplay, ARecordsRowsFollowItsNameAndParent) {
  Story story;
  story.act("team", "t1", "a", "red", "", "{}");
  const size_t rows = story.state().size();
  story.act("team", "t1", "b", "blue", "{}", R"({"x":1})");
  EXPECT_EQ(story.state().size(), rows + 1) << "and the act";
  EXPECT_TRUE(story.state().contains(std::string("Nteam\0blue\0", 11)));
  EXPECT_TRUE(story.state().contains(std::string("Lteam\0b\0t1\0", 11)));
  story.act("team", "t1", "b", "", R"({"x":1})", "{}");
  EXPECT_EQ(story.state().size(), rows + 1) << "without a name, with two acts more";
  story.act("team", "t1", "b", "", "{}", "");
  EXPECT_EQ(story.state().size(), 4u) << "the acts";
  EXPECT_THAT(story.problems, IsEmpty());
}

struct BrokenRule {
  const char* problem;
  void (*tell)(Story&);
  bool is_breach = false;
};

class VerifyRule : public ::testing::TestWithParam<BrokenRule> {};

TEST_P(VerifyRule, IsReportedWhenBroken) {
  Story story;
  story.begin();
  ASSERT_THAT(story.problems, IsEmpty());
  GetParam().tell(story);
  EXPECT_THAT(story.problems, Contains(HasSubstr(GetParam().problem)));
  EXPECT_EQ(Value(story.breaches, Contains(HasSubstr(GetParam().problem))), GetParam().is_breach);
}

const BrokenRule kRecordRules[] = {
    {"what the act before left",
     [](Story& story) { story.act("project", "proj_1", "org_1", "main", "{}", kProject); }},
    {"what the act before left", [](Story& story) { story.act("team", "t", "", "", "{}", "{}"); }},
    {"it changes nothing", [](Story& story) { story.act("team", "t", "", "", "", ""); }},
    {"no JSON object", [](Story& story) { story.act("team", "t", "", "", "", "[1]"); }},
    {"another name or parent",
     [](Story& story) { story.act("project", "proj_1", "org_2", "main", kProject, ""); }},
    {"is taken", [](Story& story) { story.act("project", "proj_2", "org_1", "main", "", kProject); }},
    {"a stranger pays", [](Story& story) { story.act("project", "proj_2", "org_2", "x", "", kProject); }},
    {"organisation's body",
     [](Story& story) { story.act("organisation", "org_2", "", "x", "", R"({"credit_limit":"-1"})"); }},
    {"not numbered in order", [](Story& story) { story.price("3", price_json(0)); }},
    {"price version is changed",
     [](Story& story) { story.act("price", "1", "nano", "", price_json(0), price_json(1)); }},
    {"another offering than its parent",
     [](Story& story) { story.act("price", "2", "micro", "", "", price_json(9)); }},
    {"it ends before it begins", [](Story& story) { story.price("2", price_json(9, "9")); }},
    {"overlaps with the next version",
     [](Story& story) {
       story.price("2", price_json(5000));
       story.price("3", price_json(4000));
     }},
    {"rows are not in order",
     [](Story& story) {
       std::string json = price_json(5000);
       json.replace(json.find("1000"), 4, "0000");
       story.price("2", json.replace(json.find("0000"), 4, "0"));
     }},
};
INSTANTIATE_TEST_SUITE_P(Records, VerifyRule, ::testing::ValuesIn(kRecordRules));

const BrokenRule kMoneyRules[] = {
    {"credited a second time", [](Story& story) { story.credit(5, "once"); }},
    {"a credit to nobody", [](Story& story) { story.credit(5, "", "org_9"); }},
    {"a credit of nothing",
     [](Story& story) {
       Payload payload(EntryKind::kCredit);
       payload.text("org_1").text("").text("").text("");
       story.tell(std::move(payload));
     }},
    {"do not sum to zero",
     [](Story& story) {
       Payload payload(EntryKind::kCredit);
       payload.text("org_1").text("").text("").text("");
       story.tell(std::move(payload),
                  {{"funding", "CNY", Money::pico(-1)}, {"wallet:org_1", "CNY", Money::pico(2)}});
     }},
    {"falls lower than it may", [](Story& story) { story.hold("r", 0, 1600, 11'200); }, true},
    {"holds more than may be spent", [](Story& story) { story.hold("r", 0, 1600, 10'820); }},
    {"a second hold", [](Story& story) { story.hold("open", 1, 1, 11); }},
    {"a second hold",
     [](Story& story) {
       story.release("open", 180);
       story.hold("open", 1, 1, 11);
     }},
    {"unknown project", [](Story& story) { story.hold("r", 1, 1, 11, 1, "org_1", "proj_9"); }},
    {"another than the project's payer", [](Story& story) { story.hold("r", 1, 1, 11, 1, "proj_1"); }},
    {"cover another number", [](Story& story) { story.hold("r", 1, 1, 11, 1, "org_1", "proj_1", 1); }},
    {"had no price",
     [](Story& story) {
       story.time = -1;
       story.hold("r", 1, 1, 11);
     }},
    {"version 1 when 2 was in force",
     [](Story& story) {
       story.price("2", price_json(999));
       story.hold("r", 1, 1, 11, 1);
     },
     true},
    {"version 1 when 2 was in force",
     [](Story& story) {
       story.price("2", price_json(1, "", "org_1"));
       story.hold("r", 1, 1, 11, 1);
     },
     true},
    {"postings are not what", [](Story& story) { story.hold("r", 1, 1, 10); }},
    {"postings are not what", [](Story& story) { story.top_up("open", 1, 6); }},
    {"has no hold", [](Story& story) { story.top_up("r", 1, 7); }},
    {"has no hold", [](Story& story) { story.mark("r", {}); }},
    {"a mark falls", [](Story& story) { story.mark("open", {.input_fresh = 9, .output = 6}); }, true},
    {"a mark falls", [](Story& story) { story.mark("open", {.input_fresh = 11, .output = 4}); }, true},
    {"has ended already",
     [](Story& story) {
       story.release("open", 180);
       story.settle("open", {}, 180, 0);
     }},
    {"row 1 where row 0 applies",
     [](Story& story) { story.settle("open", {.input_fresh = 10}, 180, 30, 0, 1); }},
    {"postings are not what", [](Story& story) { story.settle("open", {.input_fresh = 10}, 180, 29); }},
    {"not charged its last mark",
     [](Story& story) { story.settle("open", {.input_fresh = 10, .output = 6}, 180, 66, 4); }, true},
    {"not charged its last mark", [](Story& story) { story.release("open", 180, 4); }, true},
    {"does not follow the settle", [](Story& story) { story.cost("open", 0, 0, 0); }, true},
    {"not its time at the machine's price",
     [](Story& story) {
       story.settle("open", {.input_fresh = 10}, 180, 30);
       story.cost("open", 3'600'000'000'000, 500, 501);
     },
     true},
};
INSTANTIATE_TEST_SUITE_P(Money, VerifyRule, ::testing::ValuesIn(kMoneyRules));

TEST(VerifyNames, RowsOfTheStateAreCalledByTheirNames) {
  const auto name = [](std::string_view letter, std::string key) {
    return audit::row_name(std::string(letter) + key);
  };
  EXPECT_EQ(name("A", std::string("revenue\0CNY", 11)), "account 'revenue' 'CNY'");
  EXPECT_EQ(name("H", std::string("req_1\0", 6)), "open request 'req_1'");
  EXPECT_EQ(name("C", std::string("key\0\0\0\0\0\0\0\1\2", 12)), "change 'key' 258");
  EXPECT_EQ(name("A", "revenue"), "account with the key 'Arevenue' that cannot be");
  EXPECT_EQ(name("\xff", ""), "row '\\xff' of no known table");
  EXPECT_EQ(name("", ""), "row '' of no known table");
}

TEST(VerifyReplay, SumsOfTokensStopBeforeTheyOverflow) {
  constexpr int64_t kMost = int64_t{1} << 60;
  audit::Classes sum{{1, 2, 3, kMost - 1, kMost}};
  sum += {{5, 0, 0, 1'000'000'000'000, kMost}};
  EXPECT_EQ(sum, (audit::Classes{{6, 2, 3, kMost, kMost}}));
  EXPECT_EQ(audit::token_sum(kMost - 1, 5 * kMost), kMost);
}

}  // namespace
}  // namespace feilun::ledger
