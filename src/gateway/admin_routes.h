#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "gateway/admin_call.h"

namespace feilun::gateway {

struct Visit;

/// One endpoint of the admin API. `answer` gives the JSON of a 200; where the reply is no JSON and may be
/// large, `stream` writes it.
struct AdminRoute {
  std::string_view method;
  std::string_view path;  ///< with {names} for segments of any text, as docs/api/openapi.yaml has it
  ledger::Power power;    ///< that a key's role must have
  Result<std::string> (*answer)(AdminCall&);
  boost::asio::awaitable<void> (*stream)(Visit&, AdminCall) = nullptr;
};

std::span<const AdminRoute> admin_routes();

/// The route, with the values of its {names}.
struct FoundAdminRoute {
  const AdminRoute* route;
  std::vector<std::string> path_values;
};

/// `allowed` gathers the methods that the path knows.
std::optional<FoundAdminRoute> find_admin_route(std::string_view method, std::string_view path,
                                                std::vector<std::string_view>& allowed);

/// Whether the key may ask the route at all. kPermissionDenied.
Result<> check_admin(const AdminRoute& route, const ledger::Key& key);

/// Whose things a request is about: the key's organisation's, or of that which an operator names in the
/// header openai-organization.
Result<std::string> organisation_of(const net::Request& request, const ledger::Key& key,
                                    ledger::Ledger& ledger);

// admin_projects.cc
Result<std::string> list_organisations(AdminCall& call);
Result<std::string> create_organisation(AdminCall& call);
Result<std::string> show_organisation(AdminCall& call);
Result<std::string> change_organisation(AdminCall& call);
Result<std::string> list_projects(AdminCall& call);
Result<std::string> create_project(AdminCall& call);
Result<std::string> show_project(AdminCall& call);
Result<std::string> change_project(AdminCall& call);
Result<std::string> archive_project(AdminCall& call);
Result<std::string> restore_project(AdminCall& call);
Result<std::string> archive_organisation(AdminCall& call);
Result<std::string> restore_organisation(AdminCall& call);

// admin_keys.cc
Result<std::string> list_project_keys(AdminCall& call);
Result<std::string> create_project_key(AdminCall& call);
Result<std::string> show_project_key(AdminCall& call);
Result<std::string> change_project_key(AdminCall& call);
Result<std::string> rotate_project_key(AdminCall& call);
Result<std::string> revoke_project_key(AdminCall& call);
Result<std::string> list_admin_keys(AdminCall& call);
Result<std::string> create_admin_key(AdminCall& call);
Result<std::string> show_admin_key(AdminCall& call);
Result<std::string> revoke_admin_key(AdminCall& call);

// admin_service_accounts.cc
Result<std::string> list_service_accounts(AdminCall& call);
Result<std::string> create_service_account(AdminCall& call);
Result<std::string> show_service_account(AdminCall& call);
Result<std::string> change_service_account(AdminCall& call);
Result<std::string> remove_service_account(AdminCall& call);
Result<std::string> create_service_account_key(AdminCall& call);

// admin_members.cc
Result<std::string> list_users(AdminCall& call);
Result<std::string> show_user(AdminCall& call);
Result<std::string> change_user(AdminCall& call);
Result<std::string> remove_user(AdminCall& call);
Result<std::string> list_project_users(AdminCall& call);
Result<std::string> add_project_user(AdminCall& call);
Result<std::string> show_project_user(AdminCall& call);
Result<std::string> change_project_user(AdminCall& call);
Result<std::string> remove_project_user(AdminCall& call);
Result<std::string> list_invites(AdminCall& call);
Result<std::string> create_invite(AdminCall& call);
Result<std::string> show_invite(AdminCall& call);
Result<std::string> revoke_invite(AdminCall& call);

// admin_audit.cc
Result<std::string> list_audit_logs(AdminCall& call);

// admin_focus.cc
boost::asio::awaitable<void> stream_focus(Visit& visit, AdminCall call);

// admin_money.cc
Result<std::string> show_usage(AdminCall& call);
Result<std::string> show_embeddings_usage(AdminCall& call);
Result<std::string> show_costs(AdminCall& call);
Result<std::string> list_wallets(AdminCall& call);
Result<std::string> credit_wallet(AdminCall& call);

// admin_prices.cc
Result<std::string> list_prices(AdminCall& call);
Result<std::string> publish_price(AdminCall& call);

// admin_price_preview.cc
Result<std::string> preview_price(AdminCall& call);

// admin_lots.cc
Result<std::string> list_lots(AdminCall& call);
Result<std::string> grant_lot(AdminCall& call);
Result<std::string> set_credit_limit(AdminCall& call);

// admin_refunds.cc
Result<std::string> list_refunds(AdminCall& call);
Result<std::string> create_refund(AdminCall& call);

// admin_limits.cc
Result<std::string> list_limits(AdminCall& call);
Result<std::string> create_limit(AdminCall& call);
Result<std::string> show_limit(AdminCall& call);
Result<std::string> change_limit(AdminCall& call);
Result<std::string> end_limit(AdminCall& call);

// admin_spend_limits.cc
Result<std::string> show_spend_limit(AdminCall& call);
Result<std::string> set_spend_limit(AdminCall& call);
Result<std::string> end_spend_limit(AdminCall& call);
Result<std::string> list_rate_limits(AdminCall& call);

// admin_webhooks.cc
Result<std::string> list_webhooks(AdminCall& call);
Result<std::string> create_webhook(AdminCall& call);
Result<std::string> show_webhook(AdminCall& call);
Result<std::string> change_webhook(AdminCall& call);
Result<std::string> end_webhook(AdminCall& call);
boost::asio::awaitable<void> test_webhook(Visit& visit, AdminCall call);

// admin_commitments.cc
Result<std::string> list_commitments(AdminCall& call);
Result<std::string> create_commitment(AdminCall& call);
Result<std::string> show_commitment(AdminCall& call);
Result<std::string> change_commitment(AdminCall& call);

// admin_invoices.cc
Result<std::string> list_invoices(AdminCall& call);
Result<std::string> issue_invoices(AdminCall& call);
Result<std::string> preview_invoice(AdminCall& call);
Result<std::string> show_invoice(AdminCall& call);
Result<std::string> list_payments(AdminCall& call);
Result<std::string> pay_invoice(AdminCall& call);
Result<std::string> list_credit_notes(AdminCall& call);
Result<std::string> issue_credit_note(AdminCall& call);
Result<std::string> show_credit_note(AdminCall& call);
Result<std::string> show_ageing(AdminCall& call);
Result<std::string> show_billing(AdminCall& call);
Result<std::string> change_billing(AdminCall& call);

}  // namespace feilun::gateway
