// GET /v1/organization/usage/completions, …/usage/embeddings and GET /v1/organization/costs
#include "gateway/admin_routes.h"
#include "gateway/deployment.h"
#include "gateway/usage_report.h"

namespace feilun::gateway {
namespace {

using Report = Result<std::string> (*)(ledger::State&, const UsageView&, const UsageQuery&);

Result<std::string> reported(AdminCall& call, Report report, UsageKind kind = UsageKind::kCompletions) {
  UsageQuery query = TRY(read_usage_query(call.request, call.now));
  query.kind = kind;
  return call.read<std::string>([&](ledger::State& state) -> Result<std::string> {
    const UsageView view{
        .payers = TRY(call.payers(state)),
        .sees = [&](const std::string& project) { return sees_project(state, call.key, project); },
        .embeds =
            [&](const std::string& model) {
              const Deployment* deployment = call.deployments.find(model);
              return deployment != nullptr && deployment->embeds();
            }};
    return report(state, view, query);
  });
}

}  // namespace

Result<std::string> show_usage(AdminCall& call) {
  return reported(call, usage_report);
}

Result<std::string> show_embeddings_usage(AdminCall& call) {
  return reported(call, usage_report, UsageKind::kEmbeddings);
}

Result<std::string> show_costs(AdminCall& call) {
  return reported(call, costs_report);
}

}  // namespace feilun::gateway
