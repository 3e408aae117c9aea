// GET /v1/organization/usage/completions, GET /v1/organization/costs
#include "gateway/admin_routes.h"
#include "gateway/usage_report.h"

namespace feilun::gateway {
namespace {

using Report = Result<std::string> (*)(ledger::State&, const std::vector<std::string>&, const UsageQuery&);

Result<std::string> reported(AdminCall& call, Report report) {
  const UsageQuery query = TRY(read_usage_query(call.request, call.now));
  return call.read<std::string>([&](ledger::State& state) -> Result<std::string> {
    const auto payers = TRY(call.payers(state));
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
