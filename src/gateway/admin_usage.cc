// GET /v1/organization/usage/completions, GET /v1/organization/costs
#include "gateway/admin_routes.h"
#include "gateway/usage_report.h"

namespace feilun::gateway {
namespace {

constexpr int64_t kProjectsMax = 1'000'000;

/// Whose usage the organisation's is: its own wallet's, or, of "default", those of its projects.
Result<std::vector<std::string>> payers_of(ledger::State& state, const std::string& organisation) {
  if (organisation != "default") return std::vector<std::string>{organisation};
  std::vector<std::string> payers;
  for (const ledger::Record& project :
       TRY(ledger::records_of(state, "project", organisation, kProjectsMax))) {
    payers.push_back(project.id);
  }
  return payers;
}

using Report = Result<std::string> (*)(ledger::State&, const std::vector<std::string>&, const UsageQuery&);

Result<std::string> reported(AdminCall& call, Report report) {
  const UsageQuery query = TRY(read_usage_query(call.request, call.now));
  return call.read<std::string>([&](ledger::State& state) -> Result<std::string> {
    const auto payers = TRY(payers_of(state, call.organisation));
    return report(state, payers, query);
  });
}

}  // namespace

Result<std::string> show_usage(AdminCall& call) {
  return reported(call, usage_report);
}

Result<std::string> show_costs(AdminCall& call) {
  return reported(call, costs_report);
}

}  // namespace feilun::gateway
