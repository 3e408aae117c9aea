#pragma once

#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ledger/alerts.h"
#include "ledger/billing.h"
#include "ledger/commitment.h"
#include "ledger/coverage.h"
#include "ledger/draws.h"
#include "ledger/invoice.h"
#include "ledger/journal.h"
#include "ledger/ledger.h"
#include "ledger/lots.h"
#include "ledger/paying_tenant.h"
#include "ledger/receivables.h"
#include "ledger/record.h"
#include "ledger/refund.h"
#include "ledger/rows.h"
#include "ledger/spend_limits.h"
#include "ledger/state.h"

namespace feilun::ledger {

struct Act;

/// The ledger's rules: what each operation checks, journals and derives, inside one write transaction.
///
/// After begin() any number of acts may run, each after attempt(). Each validates wholly before its first
/// write, so an act that fails has changed nothing; several that are one to whoever asks are undone together.
class Books {
 public:
  explicit Books(State& state) : state_(state) {}

  /// `now` is the time of every entry of this group.
  Result<> begin(WallTime now);
  /// What follows, up to the next attempt(), can be undone.
  void attempt();
  void undo();
  State& state() { return state_; }
  /// Who does what follows, for the audit log: a key's id, a member's, or "local".
  void act_as(std::string actor) { actor_ = std::move(actor); }

  // books_tenants.cc
  Result<Organisation> create_organisation(Organisation organisation);
  Result<Organisation> change_organisation(std::string_view name_or_id, const OrganisationChange& change);
  /// From now on its keys are refused and nothing new is made in it.
  Result<Organisation> archive_organisation(std::string_view name_or_id);
  /// Its keys are good again, but those that were revoked.
  Result<Organisation> restore_organisation(std::string_view name_or_id);
  Result<Project> create_project(const std::string& name, const std::string& currency,
                                 std::string_view organisation = "default");
  /// The project of that name, made when there is none.
  Result<Project> ensure_project(const std::string& name, const std::string& currency);
  Result<Project> rename_project(std::string_view name_or_id, const std::string& name);
  Result<Project> archive_project(std::string_view name_or_id);
  Result<Project> restore_project(std::string_view name_or_id);

  // books_keys.cc
  Result<NewKey> create_key(const KeyRequest& request);
  /// An administrator's key is its organisation's, whatever the project.
  Result<NewKey> create_key(std::string_view project, const std::string& name, KeyRole role);
  Result<Key> change_key(std::string_view key_id, const KeyChange& change);
  /// A new secret for the same key; the one before is good until `old_until`, or at once no more.
  Result<NewKey> rotate_key(std::string_view key_id, WallTime old_until);
  Result<> revoke_key(std::string_view key_id);

  // books_members.cc
  Result<Member> add_member(Member member);
  /// The administrators' keys that are the member's get the role too.
  Result<Member> change_member(std::string_view id, Role role);
  /// Its keys are revoked. kConflict for the last owner of an organisation.
  Result<> remove_member(std::string_view id);
  Result<ProjectMember> put_project_member(std::string_view project_id, std::string_view member_id,
                                           ProjectRole role);
  /// Its keys of the project are revoked.
  Result<> remove_project_member(std::string_view project_id, std::string_view member_id);
  Result<NewInvite> invite(Invite invite);
  Result<> revoke_invite(std::string_view id);
  /// Makes the member, once. kUnauthorized for a token that is wrong, revoked or expired, kConflict for one
  /// that was used. `password_hash` is of hash_password(), or empty.
  Result<Member> accept_invite(std::string_view token, const std::string& name,
                               const std::string& password_hash);
  Result<ServiceAccount> create_service_account(std::string_view project, const std::string& name);
  Result<ServiceAccount> change_service_account(std::string_view id, const std::optional<std::string>& name);
  /// Its keys are revoked.
  Result<> remove_service_account(std::string_view id);

  /// `owner`: a project or an organisation, by id or name.
  Result<Balance> credit(std::string_view owner, Money amount, std::string_view currency,
                         std::string_view reason, std::string_view idempotency_key);
  Result<PriceVersion> set_price(PriceVersion price);

  // books_lots.cc
  /// How far below zero an organisation's wallet may fall. It may be less than what is owed already: then
  /// nothing more can be spent.
  Result<Organisation> set_credit_limit(std::string_view organisation, Money limit);
  /// Grants the lot to `owner` (a project or an organisation, by id or name), and takes what is paid for it
  /// from its wallet. The same idempotency key (when not empty) grants once.
  Result<LotBalance> grant(std::string_view owner, Lot lot, std::string_view reason);
  /// Takes what is left of at most `limit` expired lots; returns how many. To be called now and then.
  Result<int64_t> expire_lots(int64_t limit);
  // books_refunds.cc
  /// kConflict for a request that has not ended; kInvalidArgument for more than is left of its charge.
  Result<Refund> refund(const RefundRequest& request);
  // books_limits.cc
  /// A new limit (no id), or another bound, hardness and alerts for one that is there.
  Result<SpendLimit> set_limit(SpendLimit limit);
  Result<> end_limit(std::string_view limit_id);
  // books_alerts.cc
  /// A new webhook (no id; its secret is made here), or another url and events for one that is there.
  Result<Webhook> set_webhook(Webhook webhook);
  /// What waits to be delivered to it is given up.
  Result<> end_webhook(std::string_view webhook_id);
  /// What became of a notification that was due. What failed is tried again later, and in the end given up.
  Result<> notified(const Notification& notification, bool delivered);
  // books_commitments.cc
  /// kConflict when the organisation has a commitment for one of the months.
  Result<Commitment> commit(Commitment commitment);
  Result<Commitment> end_commitment(std::string_view commitment_id, Month until);
  /// Charges what the month lacks of the commitment, once; none when there is no commitment for it. The month
  /// must be over. This alone may take a wallet below its credit limit: it was promised, not spent.
  Result<std::optional<TrueUp>> true_up(std::string_view organisation, Month month);

  // books_invoices.cc
  /// Who a payer is on paper, what taxes are added to its invoices and when they are due. Invoices that were
  /// issued stay as they are.
  Result<Billing> set_billing(Billing billing);
  /// The invoice of the month, issued when there is none yet; the same one for ever after. `owner`: a project
  /// or an organisation. A commitment is trued up first. kInvalidArgument while the month has not ended in
  /// its time zone.
  Result<Invoice> issue_invoice(std::string_view owner, Month month);
  // books_receivables.cc
  /// What was paid against an invoice, once for each reference; what is more than is open stays in the
  /// wallet.
  Result<PaymentDone> pay_invoice(const PaymentRequest& request);
  /// Takes back lines of an invoice, or parts of them.
  Result<Invoice> credit_invoice(const CreditRequest& request);

  Result<Hold> hold(const HoldRequest& request);
  /// Why no request for the offering that has this many tokens or more could be held now; writes nothing.
  Result<> check_means(const HoldRequest& request);
  Result<Hold> top_up(const std::string& request_id, TokenCount more);
  Result<TokenUsage> mark(const std::string& request_id, const TokenUsage& usage);
  Result<Settlement> settle(const std::string& request_id, const TokenUsage& usage, Outcome outcome,
                            const std::optional<RequestCost>& cost = std::nullopt);
  Result<Settlement> release(const std::string& request_id, Outcome outcome);
  /// Under which lease holds are made from now on; empty where nobody else serves.
  void hold_as(std::string lease) { lease_ = std::move(lease); }
  /// Whether this is the gateway that does what one of those on this ledger must: the one whose lease is the
  /// oldest in force. Where nobody else serves, always. Two may both be told so while one of them dies.
  Result<bool> leads();
  /// Ends at most `limit` open holds that were made under none of these leases at their last mark; returns
  /// how many.
  Result<int64_t> recover(const std::vector<std::string>& living, int64_t limit);

 private:
  /// Journals that a record comes to be, changes or goes (no `after`), and writes its rows.
  Result<> act(std::string_view verb, const std::optional<Record>& before, std::optional<Record> after);
  /// Appends the entry and moves the accounts; returns its sequence. Postings of zero are left out.
  Result<int64_t> record(Payload payload, std::vector<Posting> postings);
  /// The same for an act of an administrator, whatever its kind: it is in the audit log, too. Its actor, time
  /// and sequence are filled in here.
  Result<int64_t> record_act(Payload payload, std::vector<Posting> postings, Act done);

  Result<> revoke_keys_of(std::string_view parent, std::string_view owner);

  Result<OpenHold> known_hold(std::string_view request_id);
  Result<const PriceVersion*> pinned(int64_t id);
  Result<const PriceVersion*> price_now(const HoldRequest& request, const Project& project);
  Result<const PayingTenant*> tenant_of(std::string_view project_id);
  /// What a request for the offering may draw on; of an open one, with what it has drawn already.
  Result<Sources> sources(const PayingTenant& tenant, std::string_view offering,
                          const std::vector<Draw>& drawn = {});
  /// Where what comes back to an account goes: what comes back to an expired lot is breakage.
  Result<std::string> returned_to(const std::string& account);
  /// The postings that end a hold: what was spent of each draw to revenue, the rest back.
  Result<std::vector<Posting>> ending(const OpenHold& hold, const std::vector<EndedDraw>& draws);
  Result<Coverage> cover(const HoldRequest& request, const WorstUnits& worst, const Sources& from,
                         const std::vector<CountedLimit>& limits, std::string_view currency) const;

  /// The limits that count a request, with their windows; of one that is open, by the entry of its hold.
  Result<std::vector<CountedLimit>> limits_on(const PayingTenant& tenant, std::string_view key_id,
                                              int64_t opened = std::numeric_limits<int64_t>::max());
  /// kRateLimited, or kInsufficientQuota of a limit of spend, when one has no room for so much.
  Result<> check_limits(const std::vector<CountedLimit>& limits, TokenCount tokens, Money money,
                        std::string_view currency) const;
  /// The alerts that are due by what was counted, and whom to notify: first each alert without a webhook.
  Result<std::vector<Notification>> alerts_of(std::vector<CountedLimit>& limits, const PayingTenant& tenant);
  Result<> put_counts(const std::vector<CountedLimit>& limits, std::vector<Notification> alerts);
  Result<> answer(const Notification& notification, uint8_t delivery);
  /// Journals an entry that makes a record, and writes its rows. The audit log has it as the payer's, with
  /// `after` as its body.
  Result<> record_made(Payload payload, std::vector<Posting> postings, Record made, std::string_view payer,
                       std::string after);

  State& state_;
  WallTime now_;
  std::string actor_ = "local";
  std::string lease_;
  // Derived from the state, for as long as it forgets nothing.
  int64_t forgotten_ = -1;                  ///< as the state had it then; below zero: nothing is derived yet
  std::map<int64_t, PriceVersion> prices_;  ///< by number; a version's rows never change
  PayingTenants tenants_;
};

Result<Organisation> find_organisation(State& state, std::string_view name_or_id);
Result<std::vector<Organisation>> all_organisations(State& state);
/// By id, by name (of a project of the default organisation), or as "ORGANISATION/NAME".
Result<Project> find_project(State& state, std::string_view name_or_id);
Result<std::vector<Project>> all_projects(State& state);
Result<std::vector<Key>> keys_of(State& state, std::string_view project_id);
/// Of a project, or an organisation's administrators', by the id of either.
Result<std::vector<Key>> keys_under(State& state, std::string_view parent);
Result<Key> find_key(State& state, std::string_view id);
Result<std::vector<Member>> members_of(State& state, std::string_view organisation);
Result<Member> find_member(State& state, std::string_view organisation, std::string_view email_or_id);
Result<Invite> find_invite(State& state, std::string_view id);
Result<ServiceAccount> find_service_account(State& state, std::string_view id);
Result<std::optional<ProjectMember>> find_project_member(State& state, std::string_view project_id,
                                                         std::string_view member_id);
struct InviteRow;
/// The invitation that the token opens now. kUnauthorized, kConflict when it was accepted before.
Result<InviteRow> open_invite(State& state, std::string_view token, WallTime now);
Result<PriceVersion> find_price(State& state, int64_t id);
/// The version whose interval holds `at`; none is kNotFound.
Result<PriceVersion> find_price_at(State& state, std::string_view offering, std::string_view currency,
                                   std::string_view organisation, WallTime at);
Result<Balance> payer_balance(State& state, std::string_view payer, std::string_view currency);

inline constexpr std::string_view kWalletAccounts = "wallet:";
inline std::string wallet_of(std::string_view payer) {
  return std::string(kWalletAccounts).append(payer);
}
inline std::string held_of(std::string_view payer) {
  return std::string("hold:").append(payer);
}

}  // namespace feilun::ledger
