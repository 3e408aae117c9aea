#include "gateway/admin_routes.h"

namespace feilun::gateway {
namespace {

using enum ledger::Power;

// clang-format off
constexpr AdminRoute kAdminRoutes[] = {
    {"GET",    "/v1/organizations", kEveryProject, list_organisations},
    {"POST",   "/v1/organizations", kManageOrganisation, create_organisation},
    {"GET",    "/v1/organization", kSeeProjects, show_organisation},
    {"POST",   "/v1/organization", kManageOrganisation, change_organisation},
    {"POST",   "/v1/organization/archive", kManageOrganisation, archive_organisation},
    {"POST",   "/v1/organization/restore", kManageOrganisation, restore_organisation},
    {"POST",   "/v1/organization/credit_limit", kManageMoney, set_credit_limit},
    {"GET",    "/v1/organization/projects", kSeeProjects, list_projects},
    {"POST",   "/v1/organization/projects", kManageProjects, create_project},
    {"GET",    "/v1/organization/projects/{project_id}", kSeeProjects, show_project},
    {"POST",   "/v1/organization/projects/{project_id}", kManageProjects, change_project},
    {"POST",   "/v1/organization/projects/{project_id}/archive", kManageProjects, archive_project},
    {"POST",   "/v1/organization/projects/{project_id}/restore", kManageProjects, restore_project},
    {"GET",    "/v1/organization/projects/{project_id}/rate_limits", kSeeProjects, list_rate_limits},
    {"GET",    "/v1/organization/projects/{project_id}/spend_limit", kSeeMoney, show_spend_limit},
    {"POST",   "/v1/organization/projects/{project_id}/spend_limit", kManageMoney, set_spend_limit},
    {"DELETE", "/v1/organization/projects/{project_id}/spend_limit", kManageMoney, end_spend_limit},
    {"GET",    "/v1/organization/projects/{project_id}/api_keys", kSeeKeys, list_project_keys},
    {"POST",   "/v1/organization/projects/{project_id}/api_keys", kManageKeys, create_project_key},
    {"GET",    "/v1/organization/projects/{project_id}/api_keys/{api_key_id}", kSeeKeys, show_project_key},
    {"POST",   "/v1/organization/projects/{project_id}/api_keys/{api_key_id}", kManageKeys, change_project_key},
    {"DELETE", "/v1/organization/projects/{project_id}/api_keys/{api_key_id}", kManageKeys, revoke_project_key},
    {"POST",   "/v1/organization/projects/{project_id}/api_keys/{api_key_id}/rotate", kManageKeys, rotate_project_key},
    {"GET",    "/v1/organization/projects/{project_id}/service_accounts", kSeeKeys, list_service_accounts},
    {"POST",   "/v1/organization/projects/{project_id}/service_accounts", kManageKeys, create_service_account},
    {"GET",    "/v1/organization/projects/{project_id}/service_accounts/{service_account_id}", kSeeKeys, show_service_account},
    {"POST",   "/v1/organization/projects/{project_id}/service_accounts/{service_account_id}", kManageKeys, change_service_account},
    {"DELETE", "/v1/organization/projects/{project_id}/service_accounts/{service_account_id}", kManageKeys, remove_service_account},
    {"POST",   "/v1/organization/projects/{project_id}/service_accounts/{service_account_id}/api_keys", kManageKeys, create_service_account_key},
    {"GET",    "/v1/organization/projects/{project_id}/users", kSeeMembers, list_project_users},
    {"POST",   "/v1/organization/projects/{project_id}/users", kManageMembers, add_project_user},
    {"GET",    "/v1/organization/projects/{project_id}/users/{user_id}", kSeeMembers, show_project_user},
    {"POST",   "/v1/organization/projects/{project_id}/users/{user_id}", kManageMembers, change_project_user},
    {"DELETE", "/v1/organization/projects/{project_id}/users/{user_id}", kManageMembers, remove_project_user},
    {"GET",    "/v1/organization/users", kSeeMembers, list_users},
    {"GET",    "/v1/organization/users/{user_id}", kSeeMembers, show_user},
    {"POST",   "/v1/organization/users/{user_id}", kManageMembers, change_user},
    {"DELETE", "/v1/organization/users/{user_id}", kManageMembers, remove_user},
    {"GET",    "/v1/organization/invites", kSeeMembers, list_invites},
    {"POST",   "/v1/organization/invites", kManageMembers, create_invite},
    {"GET",    "/v1/organization/invites/{invite_id}", kSeeMembers, show_invite},
    {"DELETE", "/v1/organization/invites/{invite_id}", kManageMembers, revoke_invite},
    {"GET",    "/v1/organization/admin_api_keys", kManageAdminKeys, list_admin_keys},
    {"POST",   "/v1/organization/admin_api_keys", kManageAdminKeys, create_admin_key},
    {"GET",    "/v1/organization/admin_api_keys/{key_id}", kManageAdminKeys, show_admin_key},
    {"DELETE", "/v1/organization/admin_api_keys/{key_id}", kManageAdminKeys, revoke_admin_key},
    {"GET",    "/v1/organization/audit_logs", kSeeAudit, list_audit_logs},
    {"GET",    "/v1/organization/usage/completions", kSeeMoney, show_usage},
    {"GET",    "/v1/organization/usage/embeddings", kSeeMoney, show_embeddings_usage},
    {"GET",    "/v1/organization/costs", kSeeMoney, show_costs},
    {"GET",    "/v1/organization/focus", kEveryProject, nullptr, stream_focus},
    {"GET",    "/v1/organization/wallets", kSeeMoney, list_wallets},
    {"POST",   "/v1/organization/wallets/{wallet_id}/credits", kManageMoney, credit_wallet},
    {"GET",    "/v1/organization/wallets/{wallet_id}/lots", kSeeMoney, list_lots},
    {"POST",   "/v1/organization/wallets/{wallet_id}/lots", kManageMoney, grant_lot},
    {"GET",    "/v1/organization/refunds", kSeeMoney, list_refunds},
    {"POST",   "/v1/organization/refunds", kManageMoney, create_refund},
    {"GET",    "/v1/organization/limits", kSeeMoney, list_limits},
    {"POST",   "/v1/organization/limits", kManageMoney, create_limit},
    {"GET",    "/v1/organization/limits/{limit_id}", kSeeMoney, show_limit},
    {"POST",   "/v1/organization/limits/{limit_id}", kManageMoney, change_limit},
    {"DELETE", "/v1/organization/limits/{limit_id}", kManageMoney, end_limit},
    {"GET",    "/v1/organization/spend_limit", kSeeMoney, show_spend_limit},
    {"POST",   "/v1/organization/spend_limit", kManageMoney, set_spend_limit},
    {"DELETE", "/v1/organization/spend_limit", kManageMoney, end_spend_limit},
    {"GET",    "/v1/organization/webhooks", kManageMoney, list_webhooks},
    {"POST",   "/v1/organization/webhooks", kManageMoney, create_webhook},
    {"GET",    "/v1/organization/webhooks/{webhook_id}", kManageMoney, show_webhook},
    {"POST",   "/v1/organization/webhooks/{webhook_id}", kManageMoney, change_webhook},
    {"DELETE", "/v1/organization/webhooks/{webhook_id}", kManageMoney, end_webhook},
    {"POST",   "/v1/organization/webhooks/{webhook_id}/test", kManageMoney, nullptr, test_webhook},
    {"GET",    "/v1/organization/commitments", kEveryProject, list_commitments},
    {"POST",   "/v1/organization/commitments", kManageMoney, create_commitment},
    {"GET",    "/v1/organization/commitments/{commitment_id}", kEveryProject, show_commitment},
    {"POST",   "/v1/organization/commitments/{commitment_id}", kManageMoney, change_commitment},
    {"GET",    "/v1/organization/prices", kSeeMoney, list_prices},
    {"POST",   "/v1/organization/prices", kManageMoney, publish_price},
    {"POST",   "/v1/organization/prices/preview", kManageMoney, preview_price},
    {"GET",    "/v1/organization/invoices", kEveryProject, list_invoices},
    {"POST",   "/v1/organization/invoices", kManageMoney, issue_invoices},
    {"GET",    "/v1/organization/invoices/preview", kEveryProject, preview_invoice},
    {"GET",    "/v1/organization/invoices/{invoice_id}", kEveryProject, show_invoice},
    {"GET",    "/v1/organization/invoices/{invoice_id}/payments", kEveryProject, list_payments},
    {"POST",   "/v1/organization/invoices/{invoice_id}/payments", kManageMoney, pay_invoice},
    {"GET",    "/v1/organization/invoices/{invoice_id}/credit_notes", kEveryProject, list_credit_notes},
    {"POST",   "/v1/organization/invoices/{invoice_id}/credit_notes", kManageMoney, issue_credit_note},
    {"GET",    "/v1/organization/credit_notes/{credit_note_id}", kEveryProject, show_credit_note},
    {"GET",    "/v1/organization/ageing", kEveryProject, show_ageing},
    {"GET",    "/v1/organization/billing", kEveryProject, show_billing},
    {"POST",   "/v1/organization/billing", kManageMoney, change_billing},
};
// clang-format on

/// The values of the pattern's {names} in the path; nullopt where it does not match.
std::optional<std::vector<std::string>> matched(std::string_view pattern, std::string_view path) {
  std::vector<std::string> values;
  if (std::ranges::count(pattern, '/') != std::ranges::count(path, '/')) return std::nullopt;
  while (!pattern.empty()) {
    const std::string_view wanted = net::next_part(pattern, '/');
    const std::string_view segment = net::next_part(path, '/');
    if (!wanted.starts_with('{')) {
      if (wanted != segment) return std::nullopt;
      continue;
    }
    auto value = net::percent_decoded(segment);
    if (!value || value->empty()) return std::nullopt;
    values.push_back(*std::move(value));
  }
  return values;
}

/// "owner, admin".
std::string roles_with(ledger::Power power) {
  using enum ledger::Role;
  std::string roles;
  for (const ledger::Role role : {kOwner, kAdmin, kDeveloper, kBilling, kAuditor}) {
    if (may(role, power)) roles += fmt::format("{}{}", roles.empty() ? "" : ", ", name_of(role));
  }
  return roles;
}

}  // namespace

std::span<const AdminRoute> admin_routes() {
  return kAdminRoutes;
}

std::optional<FoundAdminRoute> find_admin_route(std::string_view method, std::string_view path,
                                                std::vector<std::string_view>& allowed) {
  if (!path.starts_with("/v1/organization")) return std::nullopt;
  for (const AdminRoute& route : kAdminRoutes) {
    auto values = matched(route.path, path);
    if (!values) continue;
    if (route.method == method) return FoundAdminRoute{&route, *std::move(values)};
    allowed.push_back(route.method);
  }
  return std::nullopt;
}

Result<> check_admin(const AdminRoute& route, const ledger::Key& key) {
  if (key.role != ledger::KeyRole::kAdmin) {
    return fail(ErrorCode::kPermissionDenied,
                "this takes an administrator's key (sk-fl-admin-…), not a project's");
  }
  if (!has_power(key, route.power)) {
    return fail(ErrorCode::kPermissionDenied, "a key with the role {} may not {} {}: {} may",
                name_of(key.organisation_role), route.method, route.path, roles_with(route.power));
  }
  return {};
}

Result<std::string> organisation_of(const net::Request& request, const ledger::Key& key,
                                    ledger::Ledger& ledger) {
  const std::string named(request.headers.find("openai-organization"));
  if (named.empty() || named == key.organisation) return key.organisation;
  return ledger.read<std::string>([&](ledger::State& state) -> Result<std::string> {
    const bool by_operator = key.organisation == "default" && has_power(key, ledger::Power::kEveryProject);
    const auto found = ledger::find_organisation(state, named);
    if (!found && (by_operator || found.error().code != ErrorCode::kNotFound))
      return std::unexpected(found.error());
    if (found && (by_operator || found->id == key.organisation)) return found->id;
    return fail(ErrorCode::kPermissionDenied, "this key is not of the organisation '{}'", named);
  });
}

}  // namespace feilun::gateway
