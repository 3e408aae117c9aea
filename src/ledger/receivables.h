#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/civil_time.h"
#include "base/money.h"
#include "base/result.h"
#include "ledger/credit_note.h"
#include "ledger/invoice_ageing.h"
#include "ledger/record.h"
#include "ledger/state.h"

// What is owed on invoices. A wallet is one pool: what a payer puts in, its charges take out, whether an
// invoice was issued for them or not. So that an invoice can be paid all the same, the ledger keeps for each
// payer how much of what it ever put in no invoice has taken yet: its free money. An invoice takes from it
// when it is issued, as far as it goes; the rest is open, until a payment brings new money or a credit note
// asks for less. Nothing here moves money twice: a payment goes into the wallet like any credit, and what it
// pays is noted beside it.
//
// A payment may go back, whole or in parts: as much as came by it, and never what other payments, the wallet
// or an earlier invoice's overpayment paid. It takes from the invoice what it paid there, as far as that is
// paid by none of them, for what a credit note freed, it freed of the payment that goes back first. The rest
// was more than was open, or is free again, and it takes that from the free money; where another invoice has
// taken it, it cannot go back.

namespace feilun::ledger {

/// What is to be noted as paid on an invoice.
struct PaymentRequest {
  std::string invoice;    ///< its number
  std::string reference;  ///< the bank's or one's own; the same again for the same invoice pays once
  std::optional<Money> amount = {};  ///< whole coins; none: all that is open, or that the wallet can pay
  std::string currency = {};         ///< none: the invoice's
  std::string method = "Bank transfer";
  std::optional<WallTime> received = {};  ///< when the money came; none: now
  /// No new money: the invoice takes from the payer's free money. More than is free or open is refused.
  bool from_wallet = false;
  /// Of an amount below zero: the reference of the payment that went back; none: the only one that can.
  std::string returns = {};
};

struct PaymentDone {
  std::string reference;
  std::string method;
  std::optional<WallTime> received;  ///< when the money came; none: not known
  std::string currency;
  Money amount;
  Money applied;             ///< to the invoice; the rest of the amount is free money in the wallet
  std::string returns = {};  ///< the reference of the payment that went back
  Receivable invoice;
};

struct CreditRequest {
  std::string invoice;
  std::vector<CreditedLine> lines;  ///< none: all that is left of every line
  std::string reason;
  std::string idempotency_key = {};
};

/// Of an invoice: who owes how much of it. kNotFound.
Result<Receivable> find_receivable(State& state, std::string_view payer_id, std::string_view number);
/// Of a payer, or of all when there is none, by payer and number; at most `limit`, after the number `after`
/// of the payer.
Result<std::vector<Receivable>> receivables(State& state, std::string_view payer_id, int64_t limit,
                                            std::string_view after = {});
void put_receivable(State& state, const Receivable& receivable);

/// What the payer put into its wallet that no invoice has taken yet.
Result<Money> free_money(State& state, std::string_view payer_id);
Result<> add_free_money(State& state, std::string_view payer_id, Money more);

/// Payments noted on the invoice, by reference.
Result<std::vector<PaymentDone>> payments_of(State& state, std::string_view invoice);
Result<std::optional<PaymentDone>> find_payment(State& state, std::string_view invoice,
                                                std::string_view reference);
Record record_of(const PaymentDone& payment);

}  // namespace feilun::ledger
