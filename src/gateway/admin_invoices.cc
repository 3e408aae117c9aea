// /v1/organization/invoices, …/credit_notes, …/ageing and …/billing
#include <algorithm>

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

constexpr int64_t kManyMax = 10'000'000;
constexpr int64_t kSecondsMax = 253'402'300'799;  // the end of the year 9999

std::string decimal(Money amount, const std::string& currency) {
  return ledger::to_decimal(amount, ledger::minor_digits(currency).value_or(2));
}

json::object receivable_json(const Receivable& invoice) {
  const auto shown = [&](Money amount) { return decimal(amount, invoice.currency); };
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
    return std::unexpected(
        Error{ErrorCode::kInvalidArgument, "'format' is one of json, csv and html", "format"});
  }
  return {};
}

/// Whose invoices the organisation's are: its own wallet's, or, of "default", those of its projects.
Result<std::vector<std::string>> payers_of(State& state, const std::string& organisation) {
  if (organisation != "default") return std::vector<std::string>{organisation};
  std::vector<std::string> payers;
  for (const ledger::Record& project : TRY(ledger::records_of(state, "project", organisation, kManyMax))) {
    payers.push_back(project.id);
  }
  return payers;
}

Result<Receivable> invoice_of(State& state, const AdminCall& call, const std::string& number) {
  for (const std::string& payer : TRY(payers_of(state, call.organisation))) {
    auto found = ledger::find_receivable(state, payer, number);
    if (found || found.error().code != ErrorCode::kNotFound) return found;
  }
  return fail(ErrorCode::kNotFound, "there is no invoice '{}' here", number);
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
          {"amount", decimal(payment.amount, payment.currency)},
          {"applied", decimal(payment.applied, payment.currency)}};
}

json::object note_json(const Invoice& note) {
  return {{"id", note.facts.number},
          {"object", "organization.credit_note"},
          {"invoice_id", note.corrects},
          {"reason", note.reason},
          {"currency", note.facts.currency},
          {"total", decimal(note.total, note.facts.currency)},
          {"created_at", unix_seconds(note.facts.issued)}};
}

json::object ageing_json(const ledger::AgeingKey& key, const ledger::Ageing& open) {
  const auto shown = [&](Money amount) { return decimal(amount, key.second); };
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

/// The array's objects; none where there is no array.
Result<std::vector<RequestFields>> objects_in(const AdminBody& body, std::string_view name) {
  std::vector<RequestFields> objects;
  const auto found = body.fields().find(name);
  if (!found) return objects;
  simdjson::dom::array array;
  if (found->get(array) != simdjson::SUCCESS) return body.fields().wrong_type(name, "an array of objects");
  for (const simdjson::dom::element each : array) {
    const std::string path = fmt::format("{}[{}]", name, objects.size());
    objects.push_back(TRY(RequestFields::of(each, path, path)));
  }
  return objects;
}

Result<Month> month_asked(const AdminBody& body) {
  TRY(body.required("month"));
  return TRY(body.month("month")).value();
}

/// Of a project with a wallet of its own, where one is named; of "default" as such, the seller's.
Result<std::string> billing_owner(State& state, const AdminCall& call, std::string_view wallet) {
  if (wallet.empty()) return call.organisation;
  const auto payers = TRY(payers_of(state, call.organisation));
  if (std::ranges::find(payers, wallet) != payers.end()) return std::string(wallet);
  return fail(ErrorCode::kNotFound, "there is no wallet '{}' here", wallet);
}

Result<> read_billing(const AdminBody& body, ledger::Billing& billing) {
  if (const auto name = TRY(body.text("name"))) billing.party.name = *name;
  if (const auto address = TRY(body.texts("address"))) billing.party.address = *address;
  if (const auto number = TRY(body.text("tax_number"))) billing.party.tax_number = *number;
  constexpr int64_t kDaysMax = 3650;
  if (const auto days = TRY(body.fields().integer("due_days", 0, kDaysMax))) {
    billing.due_days = static_cast<int>(*days);
  }
  if (!body.fields().find("taxes")) return {};
  billing.taxes.emplace();
  static constexpr std::string_view kTaxFields[] = {"name", "percent"};
  for (const RequestFields& tax : TRY(objects_in(body, "taxes"))) {
    TRY(tax.only(kTaxFields));
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
    std::vector<Receivable> all;
    for (const std::string& payer : TRY(payers_of(state, call.organisation))) {
      const auto some = TRY(ledger::receivables(state, payer, kManyMax));
      std::ranges::copy_if(some, std::back_inserter(all),
                           [&](const Receivable& each) { return each.number > page.after; });
    }
    std::ranges::sort(all, {}, &Receivable::number);
    json::array items;
    for (const Receivable& each : all) {
      if (std::ssize(items) > page.limit) break;
      items.push_back(receivable_json(each));
    }
    return list_reply(std::move(items), page);
  });
}

Result<std::string> issue_invoices(AdminCall& call) {
  TRY(call.check_operator("issues invoices"));
  const AdminBody body = TRY(AdminBody::read(call.request, {"month"}));
  const Month month = TRY(month_asked(body));
  std::vector<std::string> numbers;
  if (call.organisation == "default") {
    TRY(ledger::run_invoices(call.ledger, month, call.now, call.key.id,
                             [&](const Invoice& invoice) { numbers.push_back(invoice.facts.number); }));
  } else {
    const auto invoice =
        TRY(call.write<Invoice>([&](Books& books) { return books.issue_invoice(call.organisation, month); }));
    numbers.push_back(invoice.facts.number);
  }
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    json::array items;
    for (const std::string& number : numbers) {
      const std::string payer = TRY(ledger::issued_invoice(state, number)).facts.organisation_id;
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
      if (payment.reference <= page.after && !page.after.empty()) continue;
      if (std::ssize(items) <= page.limit) items.push_back(payment_json(payment));
    }
    return list_reply(std::move(items), page);
  });
}

Result<std::string> pay_invoice(AdminCall& call) {
  TRY(call.check_operator("notes payments"));
  const AdminBody body = TRY(AdminBody::read(
      call.request, {"reference", "amount", "currency", "method", "received_at", "from_wallet"}));
  ledger::PaymentRequest asked{.invoice = call.path_values.at(0)};
  asked.reference = TRY(body.required("reference"));
  asked.amount = TRY(body.money("amount"));
  asked.currency = TRY(body.text("currency")).value_or("");
  asked.method = TRY(body.text("method")).value_or(asked.method);
  if (const auto at = TRY(body.fields().integer("received_at", 0, kSecondsMax))) {
    asked.received = WallTime(std::chrono::seconds(*at));
  }
  asked.from_wallet = TRY(body.fields().boolean("from_wallet")).value_or(false);
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
    bool after = page.after.empty();
    for (const auto& each : TRY(ledger::credit_notes_of(state, TRY(invoice_in_path(state, call)).number))) {
      if (after && std::ssize(items) <= page.limit) items.push_back(note_json(each.note));
      after = after || each.note.facts.number == page.after;
    }
    return list_reply(std::move(items), page);
  });
}

Result<std::string> issue_credit_note(AdminCall& call) {
  TRY(call.check_operator("issues credit notes"));
  const AdminBody body = TRY(AdminBody::read(call.request, {"reason", "idempotency_key", "lines"}));
  ledger::CreditRequest asked{.invoice = call.path_values.at(0)};
  asked.reason = TRY(body.required("reason"));
  asked.idempotency_key = TRY(body.idempotency_key());
  static constexpr std::string_view kLineFields[] = {"line", "amount"};
  for (const RequestFields& line : TRY(objects_in(body, "lines"))) {
    TRY(line.only(kLineFields));
    const auto place = TRY(line.integer("line", 0, kManyMax));
    if (!place) return line.wrong_type("line", "a line's place, from 0");
    asked.lines.push_back({.line = static_cast<size_t>(*place)});
    if (const auto amount = TRY(line.string("amount")))
      asked.lines.back().amount = TRY(Money::parse(*amount));
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
    const auto found = ledger::find_credit_note(state, number);
    if (!found && found.error().code != ErrorCode::kNotFound) return std::unexpected(found.error());
    if (!found || !invoice_of(state, call, found->note.corrects)) {
      return fail(ErrorCode::kNotFound, "there is no credit note '{}' here", number);
    }
    json::object shown = note_json(found->note);
    TRY(add_paper(shown, found->note, call.request));
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
    for (const std::string& payer : TRY(payers_of(state, call.organisation))) {
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
