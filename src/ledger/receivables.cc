#include "ledger/receivables.h"

#include <boost/json.hpp>

#include "ledger/fields.h"
#include "ledger/json_fields.h"

namespace feilun::ledger {
namespace {

constexpr int64_t kPaymentsMax = 100'000;

std::string receivable_key(std::string_view payer_id, std::string_view number) {
  return KeyWriter('a').text(payer_id).text(number).take();
}
std::string free_key(std::string_view payer_id) {
  return KeyWriter('G').text(payer_id).take();
}

std::string payment_id(std::string_view invoice, std::string_view reference) {
  return fmt::format("{} {}", invoice, reference);
}

int64_t number_of(Day day) {
  return std::chrono::local_days(day).time_since_epoch().count();
}

Result<Receivable> read_receivable(std::string_view key, std::string_view value) {
  const size_t middle = key.find('\0');
  Receivable read;
  if (middle != key.npos && !key.empty()) {
    read.organisation_id = key.substr(1, middle - 1);
    read.number = key.substr(middle + 1, key.size() - middle - 2);
  }
  FieldReader fields(value);
  read.currency = fields.raw(3);
  read.due_on = Day(std::chrono::local_days(std::chrono::days(fields.number())));
  read.total = fields.amount();
  read.paid = fields.amount();
  read.credited = fields.amount();
  if (!fields.ok() || !fields.at_end() || read.number.empty()) {
    return fail(ErrorCode::kCorrupt, "what is open on an invoice cannot be read");
  }
  return read;
}

Result<PaymentDone> payment_from(State& state, const Record& record) {
  JsonFields body(record.json);
  PaymentDone done{.reference = body.text("reference"), .method = body.text("method")};
  done.received = body.time("received");
  done.currency = body.text("currency");
  done.amount = body.money("amount");
  done.applied = body.money("applied");
  done.returns = body.text("returns");
  const std::string payer = body.text("payer");
  if (!body.ok()) return fail(ErrorCode::kCorrupt, "the payment {} cannot be read", record.id);
  done.invoice = TRY(find_receivable(state, payer, record.parent));
  return done;
}

}  // namespace

Result<Receivable> find_receivable(State& state, std::string_view payer_id, std::string_view number) {
  const std::string key = receivable_key(payer_id, number);
  const std::string* value = TRY(state.get(key));
  if (value == nullptr) return fail(ErrorCode::kNotFound, "there is no invoice '{}'", number);
  return read_receivable(key, *value);
}

Result<std::vector<Receivable>> receivables(State& state, std::string_view payer_id, int64_t limit,
                                            std::string_view after) {
  std::vector<Receivable> all;
  const std::string prefix = payer_id.empty() ? "a" : KeyWriter('a').text(payer_id).take();
  const bool begin = after.empty() || after.find('\0') != after.npos;
  const auto rows =
      begin ? state.scan(prefix, limit) : state.scan_after(prefix, receivable_key(payer_id, after), limit);
  for (const StateRow& row : TRY(rows)) all.push_back(TRY(read_receivable(row.key, row.value)));
  return all;
}

void put_receivable(State& state, const Receivable& receivable) {
  FieldWriter value;
  value.raw(receivable.currency).number(number_of(receivable.due_on));
  value.amount(receivable.total).amount(receivable.paid).amount(receivable.credited);
  state.put(receivable_key(receivable.organisation_id, receivable.number), value.take());
}

Result<Money> free_money(State& state, std::string_view payer_id) {
  const std::string* value = TRY(state.get(free_key(payer_id)));
  if (value == nullptr) return Money();
  FieldReader fields(*value);
  const Money amount = fields.amount();
  if (!fields.ok() || !fields.at_end()) {
    return fail(ErrorCode::kCorrupt, "the free money of {} cannot be read", payer_id);
  }
  return amount;
}

Result<> add_free_money(State& state, std::string_view payer_id, Money more) {
  const Money before = TRY(free_money(state, payer_id));
  state.put(free_key(payer_id), FieldWriter().amount(before + more).take());
  return {};
}

Result<std::vector<PaymentDone>> payments_of(State& state, std::string_view invoice) {
  std::vector<PaymentDone> payments;
  for (const Record& record : TRY(records_of(state, "payment", invoice, kPaymentsMax))) {
    payments.push_back(TRY(payment_from(state, record)));
  }
  return payments;
}

Result<std::optional<PaymentDone>> find_payment(State& state, std::string_view invoice,
                                                std::string_view reference) {
  const auto record = TRY(find_record(state, "payment", payment_id(invoice, reference)));
  if (!record) return std::nullopt;
  return TRY(payment_from(state, *record));
}

Record record_of(const PaymentDone& payment) {
  boost::json::object body = {{"payer", payment.invoice.organisation_id},
                              {"reference", payment.reference},
                              {"method", payment.method}};
  if (payment.received) body["received"] = payment.received->time_since_epoch().count();
  body["currency"] = payment.currency;
  body["amount"] = payment.amount.to_pico_string();
  body["applied"] = payment.applied.to_pico_string();
  if (!payment.returns.empty()) body["returns"] = payment.returns;
  return {.type = "payment",
          .id = payment_id(payment.invoice.number, payment.reference),
          .parent = payment.invoice.number,
          .json = boost::json::serialize(body)};
}

}  // namespace feilun::ledger
