// /v1/organization/invoices, …/credit_notes, …/ageing and …/billing
#include <algorithm>
#include <ranges>

#include "gateway/admin_routes.h"
#include "ledger/currency.h"
#include "ledger/invoice_formats.h"
#include "ledger/invoicing.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Books;
using ledger::Invoice;
using ledger::Receivable;
using ledger::State;

constexpr int64_t kLinesMax = 10'000'000;
constexpr int64_t kDueDaysMax = 3650;

json::object receivable_json(const Receivable& invoice) {
  const auto shown = [&](Money amount) { return ledger::to_decimal(amount, invoice.currency); };
  return {{"id", invoice.number},
          {"object", "organization.invoice"},
          {"wallet_id", invoice.organisation_id},
          {"currency", invoice.currency},
          {"state", state_of(invoice)},
          {"total", shown(invoice.total)},
          {"paid", shown(invoice.paid)},
          {"credited", shown(invoice.credited)},
          {"open", shown(invoice.open())},
          {"due_on", to_string(invoice.due_on)}};
}

/// The paper as an object, and in another form where the query asks for one.
Result<> add_paper(json::object& shown, const Invoice& paper, const net::Request& request) {
  shown["document"] = json::parse(ledger::invoice_json(paper));
  const auto formats = query_values(request, "format");
  if (formats.empty() || formats.front() == "json") return {};
  if (formats.front() == "csv") {
    shown["content"] = ledger::invoice_csv(paper);
  } else if (formats.front() == "html") {
    shown["content"] = ledger::invoice_html(paper);
  } else {
    return invalid("format", "'format' is one of json, csv and html");
  }
  return {};
}

/// nullopt where none of the organisation's wallets owes it.
Result<std::optional<Receivable>> find_invoice(State& state, const AdminCall& call,
                                               const std::string& number) {
  const auto record = TRY(ledger::find_record(state, "invoice", number));
  if (!record || !TRY(call.has_wallet(state, record->parent))) return std::nullopt;
  return TRY(ledger::find_receivable(state, record->parent, number));
}

Result<Receivable> invoice_of(State& state, const AdminCall& call, const std::string& number) {
  const auto found = TRY(find_invoice(state, call, number));
  if (found) return *found;
  return not_here("invoice", number);
}

Result<Receivable> invoice_in_path(State& state, const AdminCall& call) {
  return invoice_of(state, call, call.path_values.at(0));
}

json::object payment_json(const ledger::PaymentDone& payment) {
  return {{"id", payment.reference},
          {"object", "organization.invoice.payment"},
          {"invoice_id", payment.invoice.number},
          {"method", payment.method},
          {"received_at", unix_seconds(payment.received)},
          {"currency", payment.currency},
          {"amount", ledger::to_decimal(payment.amount, payment.currency)},
          {"applied", ledger::to_decimal(payment.applied, payment.currency)},
          {"returns", payment.returns.empty() ? json::value(nullptr) : json::value(payment.returns)}};
}

json::object note_json(const Invoice& note) {
  return {{"id", note.facts.number},
          {"object", "organization.credit_note"},
          {"invoice_id", note.corrects},
          {"reason", note.reason},
          {"currency", note.facts.currency},
          {"total", ledger::to_decimal(note.total, note.facts.currency)},
          {"created_at", unix_seconds(note.facts.issued)}};
}

json::object ageing_json(const ledger::AgeingKey& key, const ledger::Ageing& open) {
  const auto shown = [&](Money amount) { return ledger::to_decimal(amount, key.second); };
  return {{"id", key.first},
          {"object", "organization.ageing"},
          {"currency", key.second},
          {"not_due", shown(open.current)},
          {"days_1_to_30", shown(open.days_1_to_30)},
          {"days_31_to_60", shown(open.days_31_to_60)},
          {"days_61_to_90", shown(open.days_61_to_90)},
          {"days_over_90", shown(open.days_over_90)},
          {"total", shown(open.total())}};
}

json::object billing_json(const ledger::Billing& billing) {
  json::value taxes = nullptr;
  if (billing.taxes) {
    taxes = json::array();
    for (const ledger::TaxRate& tax : *billing.taxes) {
      taxes.as_array().push_back(json::object{{"name", tax.name}, {"percent", tax.percent}});
    }
  }
  return {{"id", billing.owner_id},
          {"object", "organization.billing"},
          {"name", billing.party.name},
          {"address", json::array(billing.party.address.begin(), billing.party.address.end())},
          {"tax_number", billing.party.tax_number},
          {"taxes", std::move(taxes)},
          {"due_days", billing.due_days ? json::value(*billing.due_days) : json::value(nullptr)}};
}

Result<Month> month_asked(const AdminBody& body) {
  TRY(body.required("month"));
  return TRY(body.month("month")).value();
}

/// Of a project with a wallet of its own, where one is named; of "default" as such, the seller's.
Result<std::string> billing_owner(State& state, const AdminCall& call, std::string_view wallet) {
  if (wallet.empty()) return call.organisation;
  if (TRY(call.has_wallet(state, wallet))) return std::string(wallet);
  return not_here("wallet", wallet);
}

Result<> read_billing(const AdminBody& body, ledger::Billing& billing) {
  if (const auto name = TRY(body.text("name"))) billing.party.name = *name;
  if (const auto address = TRY(body.texts("address"))) billing.party.address = *address;
  if (const auto number = TRY(body.text("tax_number"))) billing.party.tax_number = *number;
  if (const auto days = TRY(body.fields().integer("due_days", 0, kDueDaysMax))) {
    billing.due_days = static_cast<int>(*days);
  }
  if (!body.fields().find("taxes")) return {};
  billing.taxes.emplace();
  for (const RequestFields& tax : TRY(body.objects("taxes", {"name", "percent"}))) {
    const auto name = TRY(tax.string("name"));
    const auto percent = TRY(tax.string("percent"));
    billing.taxes->push_back({std::string(name.value_or("")), std::string(percent.value_or(""))});
  }
  return {};
}

}  // namespace

Result<std::string> list_invoices(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    const auto payers = TRY(call.payers(state));
    if (!page.after.empty() && !TRY(find_invoice(state, call, page.after))) return unknown_cursor(page);
    std::vector<Receivable> found;
    for (const std::string& payer : payers) {
      std::ranges::move(TRY(ledger::receivables(state, payer, page.limit + 1, page.after)),
                        std::back_inserter(found));
    }
    std::ranges::sort(found, {}, &Receivable::number);
    json::array items;
    for (const Receivable& each : found | std::views::take(page.limit + 1)) {
      items.push_back(receivable_json(each));
    }
    return list_reply(std::move(items), page);
  });
}

Result<std::string> issue_invoices(AdminCall& call) {
  TRY(call.check_operator("issues invoices"));
  const AdminBody body = TRY(AdminBody::read(call.request, {"month"}));
  const Month month = TRY(month_asked(body));
  std::vector<std::pair<std::string, std::string>> issued;  // payers with numbers
  const auto note = [&](const Invoice& invoice) {
    issued.emplace_back(invoice.facts.organisation_id, invoice.facts.number);
  };
  if (call.organisation == "default") {
    TRY(ledger::run_invoices(call.ledger, month, call.now, call.key.id, note));
  } else {
    note(TRY(
        call.write<Invoice>([&](Books& books) { return books.issue_invoice(call.organisation, month); })));
  }
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    json::array items;
    for (const auto& [payer, number] : issued) {
      items.push_back(receivable_json(TRY(ledger::find_receivable(state, payer, number))));
    }
    const Page whole{.limit = std::ssize(items)};
    return list_reply(std::move(items), whole);
  });
}

Result<std::string> preview_invoice(AdminCall& call) {
  const auto months = query_values(call.request, "month");
  const auto wallets = query_values(call.request, "wallet_id");
  auto month = parse_month(months.empty() ? "" : months.front());
  if (!month) month.error().param = "month";
  const Month asked = TRY(month);
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    const std::string owner =
        TRY(billing_owner(state, call, wallets.empty() ? std::string() : wallets.front()));
    const auto buyer = TRY(ledger::find_buyer(state, owner));
    const auto draft = TRY(ledger::draft_invoice(state, buyer, asked, call.now));
    json::object shown{{"id", "draft"}, {"object", "organization.invoice.preview"}};
    TRY(add_paper(shown, draft, call.request));
    return json::serialize(shown);
  });
}

Result<std::string> show_invoice(AdminCall& call) {
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    const Receivable owed = TRY(invoice_in_path(state, call));
    json::object shown = receivable_json(owed);
    TRY(add_paper(shown, TRY(ledger::issued_invoice(state, owed.number)), call.request));
    return json::serialize(shown);
  });
}

Result<std::string> list_payments(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    json::array items;
    for (const auto& payment : TRY(ledger::payments_of(state, TRY(invoice_in_path(state, call)).number))) {
      items.push_back(payment_json(payment));
    }
    return list_reply(TRY(behind_cursor(std::move(items), page)), page);
  });
}

Result<std::string> pay_invoice(AdminCall& call) {
  TRY(call.check_operator("notes payments"));
  const AdminBody body = TRY(AdminBody::read(
      call.request, {"reference", "amount", "currency", "method", "received_at", "from_wallet", "returns"}));
  ledger::PaymentRequest asked{.invoice = call.path_values.at(0)};
  asked.reference = TRY(body.required("reference"));
  asked.amount = TRY(body.money("amount"));
  asked.currency = TRY(body.text("currency")).value_or("");
  asked.method = TRY(body.text("method")).value_or(asked.method);
  asked.received = TRY(body.moment("received_at"));
  asked.from_wallet = TRY(body.fields().boolean("from_wallet")).value_or(false);
  asked.returns = TRY(body.text("returns")).value_or("");
  const auto done = TRY(call.write<ledger::PaymentDone>([&](Books& books) -> Result<ledger::PaymentDone> {
    TRY(invoice_in_path(books.state(), call));
    return books.pay_invoice(asked);
  }));
  return json::serialize(payment_json(done));
}

Result<std::string> list_credit_notes(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    json::array items;
    for (const auto& each : TRY(ledger::credit_notes_of(state, TRY(invoice_in_path(state, call)).number))) {
      items.push_back(note_json(each.note));
    }
    return list_reply(TRY(behind_cursor(std::move(items), page)), page);
  });
}

Result<std::string> issue_credit_note(AdminCall& call) {
  TRY(call.check_operator("issues credit notes"));
  const AdminBody body = TRY(AdminBody::read(call.request, {"reason", "idempotency_key", "lines"}));
  ledger::CreditRequest asked{.invoice = call.path_values.at(0)};
  asked.reason = TRY(body.required("reason"));
  asked.idempotency_key = TRY(body.idempotency_key());
  for (const RequestFields& line : TRY(body.objects("lines", {"line", "amount"}))) {
    const auto place = TRY(line.integer("line", 0, kLinesMax));
    if (!place) return line.wrong_type("line", "a line's place, from 0");
    asked.lines.push_back({.line = static_cast<size_t>(*place)});
    if (const auto amount = TRY(line.string("amount")))
      asked.lines.back().amount = TRY(Money::parse(*amount));
  }
  if (asked.lines.empty() && body.fields().find("lines")) {
    return std::unexpected(
        body.fields().error(ErrorCode::kInvalidArgument, "lines",
                            "'lines' is empty: leave it out to take back all that is left"));
  }
  const auto note = TRY(call.write<Invoice>([&](Books& books) -> Result<Invoice> {
    TRY(invoice_in_path(books.state(), call));
    return books.credit_invoice(asked);
  }));
  json::object shown = note_json(note);
  TRY(add_paper(shown, note, call.request));
  return json::serialize(shown);
}

Result<std::string> show_credit_note(AdminCall& call) {
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    const std::string& number = call.path_values.at(0);
    const auto is_own = [&](const ledger::CreditNote& found) -> Result<bool> {
      return TRY(find_invoice(state, call, found.note.corrects)).has_value();
    };
    const Invoice note =
        TRY(only_own(ledger::find_credit_note(state, number), "credit note", number, is_own)).note;
    json::object shown = note_json(note);
    TRY(add_paper(shown, note, call.request));
    return json::serialize(shown);
  });
}

Result<std::string> show_ageing(AdminCall& call) {
  const auto days = query_values(call.request, "on");
  std::optional<Day> on;
  if (!days.empty()) {
    auto day = parse_day(days.front());
    if (!day) day.error().param = "on";
    on = TRY(day);
  }
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    json::array items;
    for (const std::string& payer : TRY(call.payers(state))) {
      for (const auto& [key, open] : TRY(ledger::ageing(state, payer, call.now, on))) {
        items.push_back(ageing_json(key, open));
      }
    }
    const Page whole{.limit = std::ssize(items)};
    return list_reply(std::move(items), whole);
  });
}

Result<std::string> show_billing(AdminCall& call) {
  const auto wallets = query_values(call.request, "wallet_id");
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    const std::string owner =
        TRY(billing_owner(state, call, wallets.empty() ? std::string() : wallets.front()));
    return json::serialize(billing_json(TRY(ledger::find_billing(state, owner))));
  });
}

Result<std::string> change_billing(AdminCall& call) {
  const AdminBody body =
      TRY(AdminBody::read(call.request, {"wallet_id", "name", "address", "tax_number", "due_days", "taxes"}));
  if (body.fields().find("taxes") || body.fields().find("due_days")) {
    TRY(call.check_operator("sets taxes and due days"));
  }
  const std::string wallet = TRY(body.text("wallet_id")).value_or("");
  const auto changed = TRY(call.write<ledger::Billing>([&](Books& books) -> Result<ledger::Billing> {
    const std::string owner = TRY(billing_owner(books.state(), call, wallet));
    ledger::Billing billing = TRY(ledger::find_billing(books.state(), owner));
    TRY(read_billing(body, billing));
    return books.set_billing(std::move(billing));
  }));
  return json::serialize(billing_json(changed));
}

}  // namespace feilun::gateway
