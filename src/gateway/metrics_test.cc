#include "gateway/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/scripted_world.h"

namespace feilun::gateway {
namespace {

using ::testing::HasSubstr;

class BusyDeployment final : public testing::ScriptedDeployment {
 public:
  engine::EngineStats stats() const override {
    engine::EngineStats stats;
    stats.busy = std::chrono::milliseconds(2'500);
    stats.wasted = std::chrono::milliseconds(500);
    stats.idle = std::chrono::milliseconds(7'500);
    stats.saved = std::chrono::milliseconds(250);
    stats.cached_tokens = 96;
    stats.kv_blocks_cached = 6;
    stats.waiting_by_tier = {1, 20, 3, 4};
    stats.step_model = {.version = 12, .r_squared = 0.75, .crossover_rows = 16};
    return stats;
  }
};

TEST(Metrics, TellsWhereTheMachinesTimeWent) {
  Deployments deployments;
  deployments.add(std::make_shared<BusyDeployment>());
  const std::string text = Metrics().text(deployments, 0, {});
  for (const char* line : {"feilun_engine_busy_seconds_total{model=\"scripted\"} 2.5\n",
                           "feilun_engine_attributed_seconds_total{model=\"scripted\"} 2\n",
                           "feilun_engine_wasted_seconds_total{model=\"scripted\"} 0.5\n",
                           "feilun_engine_idle_seconds_total{model=\"scripted\"} 7.5\n",
                           "feilun_engine_saved_seconds_total{model=\"scripted\"} 0.25\n",
                           "feilun_engine_cached_tokens_total{model=\"scripted\"} 96\n",
                           "feilun_engine_kv_blocks_cached{model=\"scripted\"} 6\n",
                           "feilun_engine_queue{model=\"scripted\",tier=\"priority\"} 1\n",
                           "feilun_engine_queue{model=\"scripted\",tier=\"default\"} 20\n",
                           "feilun_engine_queue{model=\"scripted\",tier=\"flex\"} 3\n",
                           "feilun_engine_queue{model=\"scripted\",tier=\"batch\"} 4\n",
                           "feilun_engine_step_model_r2{model=\"scripted\"} 0.75\n",
                           "feilun_engine_step_model_crossover_rows{model=\"scripted\"} 16\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Metrics, WhatWasChargedLateIsPartOfWhatWasCharged) {
  const Money once = Money::parse("1.5").value();
  Metrics metrics;
  metrics.count_usage("nano", {}, once, "CNY", ledger::Outcome::kCompleted);
  ledger::SpoolStats spool;
  spool.charged_late = {{{"nano", "CNY"}, once}, {{"other", "USD"}, once}};
  const std::string text = metrics.text(Deployments(), 0, spool);
  EXPECT_THAT(text, HasSubstr("feilun_charged_total{model=\"nano\",currency=\"CNY\"} 3.00\n"));
  EXPECT_THAT(text, HasSubstr("feilun_charged_total{model=\"other\",currency=\"USD\"} 1.50\n"));
}

}  // namespace
}  // namespace feilun::gateway
