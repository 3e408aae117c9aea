#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/civil_time.h"
#include "base/result.h"
#include "ledger/rollups.h"
#include "net/http_message.h"

// organization/usage/* and organization/costs as OpenAI's clients read them, from the ledger's sums by the
// hour and by the day.

namespace feilun::gateway {

/// OpenAI's clients are told of models that give vectors apart from those that give text.
enum class UsageKind { kCompletions, kEmbeddings };

/// What one of these requests asks for.
struct UsageQuery {
  Period period;  ///< whole buckets
  std::chrono::hours width{24};
  int buckets = 7;                                  ///< at most so many
  std::vector<std::string> projects, keys, models;  ///< empty: all
  bool by_project = false;
  bool by_key = false;
  bool by_model = false;
  bool by_batch = false;
  bool by_tier = false;
  bool by_line = false;                      ///< of costs: each token class of each offering on its own
  UsageKind kind = UsageKind::kCompletions;  ///< of usage; costs are of both
};

/// kInvalidArgument names the parameter at fault.
Result<UsageQuery> read_usage_query(const net::Request& request, WallTime now);

/// Whose usage the asker may see: that of the payers' projects which `sees` says.
struct UsageView {
  std::vector<std::string> payers;
  std::function<Result<bool>(const std::string& project_id)> sees;
  std::function<bool(const std::string& model)> embeds = [](const std::string&) { return false; };
};

/// A page of buckets. What may not be seen is as if it were not there.
Result<std::string> usage_report(ledger::State& state, const UsageView& view, const UsageQuery& query);
Result<std::string> costs_report(ledger::State& state, const UsageView& view, const UsageQuery& query);

}  // namespace feilun::gateway
