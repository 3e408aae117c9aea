#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "ledger/journal.h"
#include "ledger/ledger.h"
#include "ledger/verify_replay.h"

namespace feilun::ledger {

inline constexpr char kOrganisation[] = R"({"currency":"CNY","time_zone":"UTC","credit_limit":"1000"})";
inline constexpr char kProject[] = R"({"currency":"CNY","payer":"org_1"})";
// From 1,000 input tokens on a request is dearer; reasoning is the dearest output.
inline constexpr char kRows[] =
    R"("rows":[{"tier":"default","input_from":0,"volume_from":0,"input":"3","cache_read":"1",)"
    R"("cache_write":"4","output":"6","reasoning":"7"},{"tier":"default","input_from":1000,"volume_from":0,)"
    R"("input":"30","cache_read":"10","cache_write":"40","output":"60","reasoning":"70"}]})";

inline std::string price_json(int64_t from, std::string_view until = "", std::string_view organisation = "") {
  std::string json = R"({"offering":"nano","currency":"CNY")";
  if (!organisation.empty()) json += fmt::format(R"(,"organisation":"{}")", organisation);
  json += fmt::format(R"(,"from":{})", from);
  if (!until.empty()) json += fmt::format(R"(,"until":{})", until);
  return json + "," + kRows;
}

/// A journal as it is told, entry by entry, to the auditor.
class Story {
 public:
  Story()
      : replay_([this](std::string problem) { problems.push_back(std::move(problem)); },
                [this](std::string breach) {
                  problems.push_back(breach);
                  breaches.push_back(std::move(breach));
                }) {}

  void tell(Payload payload, std::vector<Posting> postings = {}) {
    std::erase_if(postings, [](const Posting& posting) { return posting.amount.is_zero(); });
    payload.postings(postings);
    const auto entry = audit::read_payload(payload.bytes());
    ASSERT_TRUE(entry) << entry.error();
    replay_.apply(++sequence_, time, *entry);
  }
  void act(std::string_view type, std::string_view id, std::string_view parent, std::string_view name,
           std::string_view before, std::string_view after) {
    Payload payload(EntryKind::kAct);
    payload.text("local").text("do").text(type).text(id).text(parent).text(name).text(before).text(after);
    tell(std::move(payload));
  }
  void price(std::string_view number, std::string_view json) { act("price", number, "nano", "", "", json); }
  void credit(int64_t amount, std::string_view idempotency_key = "", std::string_view payer = "org_1") {
    Payload payload(EntryKind::kCredit);
    payload.text(payer).text("local").text("gift").text(idempotency_key);
    tell(std::move(payload), {{"funding", "CNY", Money::pico(-amount)},
                              {"wallet:" + std::string(payer), "CNY", Money::pico(amount)}});
  }
  void hold(std::string_view request, int64_t input, int64_t output, int64_t held, int64_t price = 1,
            std::string_view payer = "org_1", std::string_view project = "proj_1", int64_t covered = 0) {
    Payload payload(EntryKind::kHold);
    payload.text(request).text("key_1").text(project).text(payer).text("nano").byte(0).number(price);
    payload.number(input).number(output).number(covered).byte(0).text("local");
    tell(std::move(payload),
         {{"wallet:org_1", "CNY", Money::pico(-held)}, {"hold:org_1", "CNY", Money::pico(held)}});
  }
  void top_up(std::string_view request, int64_t tokens, int64_t held) {
    Payload payload(EntryKind::kTopUp);
    payload.text(request).number(tokens).byte(0);
    tell(std::move(payload),
         {{"wallet:org_1", "CNY", Money::pico(-held)}, {"hold:org_1", "CNY", Money::pico(held)}});
  }
  void mark(std::string_view request, const TokenUsage& usage) {
    Payload payload(EntryKind::kMark);
    payload.text(request).usage(usage);
    tell(std::move(payload));
  }
  void settle(std::string_view request, const TokenUsage& usage, int64_t held, int64_t charged,
              uint8_t outcome = 0, int64_t row = 0) {
    Payload payload(EntryKind::kSettle);
    payload.text(request).byte(outcome).number(row).usage(usage);
    if (charged > 0) payload.postings({{"wallet:org_1", "CNY", Money::pico(charged)}});
    if (charged == 0) payload.postings({});
    tell(std::move(payload), {{"hold:org_1", "CNY", Money::pico(-held)},
                              {"revenue", "CNY", Money::pico(charged)},
                              {"wallet:org_1", "CNY", Money::pico(held - charged)}});
  }
  void release(std::string_view request, int64_t held, uint8_t outcome = 1) {
    Payload payload(EntryKind::kRelease);
    payload.text(request).byte(outcome);
    tell(std::move(payload),
         {{"hold:org_1", "CNY", Money::pico(-held)}, {"wallet:org_1", "CNY", Money::pico(held)}});
  }
  void cost(std::string_view request, int64_t nanoseconds, int64_t per_hour, int64_t cost) {
    Payload payload(EntryKind::kCost);
    payload.text(request).number(nanoseconds).number(0).number(0).number(1).raw("CNY");
    payload.amount(Money::pico(per_hour)).amount(Money::pico(cost));
    tell(std::move(payload));
  }
  /// An organisation with 10,000 and its project, a price, and the request "open" with 10 input and 20 output
  /// tokens: 10 × 4 + 20 × 7 = 180 held.
  void begin() {
    act("organisation", "org_1", "", "acme", "", kOrganisation);
    act("project", "proj_1", "org_1", "main", "", kProject);
    price("1", price_json(0));
    credit(10'000, "once");
    hold("open", 10, 20, 180);
    mark("open", {.input_fresh = 10, .output = 5});
  }

  void end() { replay_.end(); }
  int64_t entries() const { return sequence_; }
  const audit::ExpectedState& state() const { return replay_.state(); }

  int64_t time = 1000;
  std::vector<std::string> problems;  ///< breaches too
  std::vector<std::string> breaches;

 private:
  audit::Replay replay_;
  int64_t sequence_ = 0;
};

}  // namespace feilun::ledger
