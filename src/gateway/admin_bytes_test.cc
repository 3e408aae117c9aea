// Whatever bytes stand in a path, a query, a header or a string of a body: every endpoint of the admin API
// answers. None of them may end the server, least of all with a zero byte, which no key of the ledger can
// have.
#include <gtest/gtest.h>

#include "gateway/admin_routes.h"
#include "gateway/deployment.h"
#include "ledger/invoicing_fixture.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Books;
using ledger::KeyRole;

const std::string kNasty[] = {
    std::string("\0", 1),   std::string("a\0b", 3), "",        "%",     "\xff\xfe", "../..", "-1",
    "99999999999999999999", std::string(5000, 'x'), "default", "1e999", "\x01\x7f"};

/// What endpoints take, where one part is then replaced.
constexpr std::pair<std::string_view, std::string_view> kBodies[] = {
    {"/organizations", R"({"name":"n","currency":"CNY","time_zone":"UTC"})"},
    {"/organization", R"({"name":"n","time_zone":"UTC"})"},
    {"/credit_limit", R"({"amount":"1"})"},
    {"/projects", R"({"name":"n"})"},
    {"/{project_id}", R"({"name":"n"})"},
    {"/api_keys", R"({"name":"n","models":["nano"],"endpoints":["/v1/models"],"ip_ranges":["::/0"]})"},
    {"/{api_key_id}", R"({"name":"n","models":["nano"],"endpoints":["/v1/models"],"ip_ranges":["::/0"]})"},
    {"/rotate", R"({"overlap_seconds":5})"},
    {"/service_accounts", R"({"name":"n"})"},
    {"/{service_account_id}", R"({"name":"n"})"},
    {"/projects/{project_id}/users", R"({"user_id":"user_1","email":"a@example.com","role":"member"})"},
    {"/{user_id}", R"({"role":"admin"})"},
    {"/invites", R"({"email":"a@example.com","role":"admin","projects":[{"id":"p","role":"member"}]})"},
    {"/admin_api_keys", R"({"name":"n","role":"owner","user_id":"u"})"},
    {"/credits", R"({"amount":"1","currency":"CNY","reason":"r","idempotency_key":"k"})"},
    {"/lots", R"({"kind":"credit","amount":"1","models":["nano"],"idempotency_key":"l","reason":"r"})"},
    {"/refunds", R"({"request_id":"r1","amount":"0.1","reason":"r","idempotency_key":"k"})"},
    {"/spend_limit", R"({"currency":"CNY","interval":"month","threshold_amount":5})"},
    {"/limits", R"({"scope":"project","measure":"spend","window":"5h","bound":"1"})"},
    {"/{limit_id}", R"({"bound":"1"})"},
    {"/webhooks", R"({"url":"https://example.com/","events":["limit.alert"]})"},
    {"/{webhook_id}", R"({"url":"https://example.com/","events":["limit.alert"]})"},
    {"/commitments", R"({"amount":"1","from":"2023-12","until":"2024-01","idempotency_key":"c"})"},
    {"/{commitment_id}", R"({"until":"2024-01"})"},
    {"/prices", R"({"offering":"nano","currency":"CNY","input":"1","output":"1","cache_read":"1"})"},
    {"/preview",
     R"({"offering":"nano","month":"2023-11","sheet":{"currency":"CNY","also":["USD"],"input":"1",)"
     R"("output":"1"},"rates":[{"from":"CNY","to":"USD","rate":"1","since":"2020-01-01"}]})"},
    {"/invoices", R"({"month":"2023-11"})"},
    {"/payments", R"({"reference":"b","amount":"1","currency":"CNY","method":"m","from_wallet":false})"},
    {"/credit_notes", R"({"reason":"r","idempotency_key":"k","lines":[{"line":0,"amount":"0.01"}]})"},
    {"/billing", R"({"wallet_id":"","name":"n","address":["a"],"tax_number":"t","taxes":[{"name":"VAT",)"
                 R"("percent":"6"}]})"},
};
constexpr const char* kParameters[] = {
    "after",       "limit",       "order",        "scope",    "month",       "on",
    "emails",      "request_id",  "wallet_id",    "format",   "project_ids", "group_by",
    "start_time",  "end_time",    "bucket_width", "before",   "page",        "actor_ids",
    "event_types", "api_key_ids", "models",       "user_ids", "resource_ids"};

std::string escaped(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("%{:02X}", static_cast<uint8_t>(byte));
  return text;
}

/// Calls `take` with the body once for each string in it, replaced by `bytes`.
void each_replaced(json::value& whole, json::value& part, const std::string& bytes,
                   const std::function<void(std::string)>& take) {
  if (part.is_string()) {
    const json::value kept = std::exchange(part, json::value(bytes));
    take(json::serialize(whole));
    part = kept;
  } else if (part.is_array()) {
    for (json::value& each : part.as_array()) each_replaced(whole, each, bytes, take);
  } else if (part.is_object()) {
    for (auto& each : part.as_object()) each_replaced(whole, each.value(), bytes, take);
  }
}

class AdminBytes : public ledger::InvoicingTest {
 protected:
  AdminBytes() {
    serve(project_id(), 0);
    credit("10");
    serve(project_id(), 5'000'000);
    go_to("2023-12-01T00:00:00Z");
    known_["{invoice_id}"] = issue("default", "2023-11").facts.number;
    known_["{project_id}"] = known_["{wallet_id}"] = project_id();
    key_ = ledger_->create_key("default", "root", KeyRole::kAdmin)->key;
    known_["{api_key_id}"] = ledger_->create_key("default", "key", KeyRole::kProject)->key.id;
    known_["{key_id}"] = key_.id;
    known_["{limit_id}"] = made<ledger::SpendLimit>([this](Books& books) {
      return books.set_limit({.scope = project_id(), .bound = ledger::Quantity::pico(1000)});
    });
    known_["{webhook_id}"] = made<ledger::Webhook>([](Books& books) {
      return books.set_webhook({.organisation = "default", .url = "https://example.com/"});
    });
  }
  template <typename T>
  std::string made(const std::function<Result<T>(Books&)>& make) {
    const auto done = ledger_->write<T>([&](Books& books) { return make(books); });
    EXPECT_TRUE(done) << done.error().message;
    return done ? done->id : "";
  }
  /// Answers a request as the server does behind its socket.
  void ask(const AdminRoute& route, const std::string& path, const std::string& query,
           const std::string& body, const std::string& key = "") {
    if (route.answer == nullptr) return;
    net::Request request{.method = std::string(route.method), .target = path + "?" + query, .body = body};
    if (!key.empty()) request.headers.add("idempotency-key", key);
    std::vector<std::string_view> allowed;
    auto found = find_admin_route(route.method, request.path(), allowed);
    if (!found) return;  // an empty value, or a slash in it
    AdminCall call{
        *ledger_, deployments_, key_, request, clock_.wall(), "default", std::move(found->path_values)};
    (void)found->route->answer(call);
    ++asked_;
  }
  /// The path with what is known in the place of its names, and `bytes` in the place of the one at `nasty`.
  std::string path_of(const AdminRoute& route, int nasty = -1, std::string_view bytes = {}) {
    std::string path;
    std::string_view rest = route.path.substr(1);
    for (int at = 0; !rest.empty();) {
      const std::string part(net::next_part(rest, '/'));
      const bool named = part.starts_with('{');
      const bool replaced = named && at++ == nasty;
      path += "/" + (replaced ? escaped(bytes) : named ? known_[part] : part);
    }
    return path;
  }
  static std::string body_of(const AdminRoute& route) {
    std::string_view body = "{}";
    size_t longest = 0;
    for (const auto& [end, each] : kBodies) {
      if (!route.path.ends_with(end) || end.size() < longest) continue;
      body = each;
      longest = end.size();
    }
    return route.method == "POST" ? std::string(body) : "";
  }

  std::map<std::string, std::string> known_;
  Deployments deployments_;
  ledger::Key key_;
  int64_t asked_ = 0;
};

TEST_F(AdminBytes, EndNothing) {
  for (const AdminRoute& route : admin_routes()) {
    const bool ends = route.method == "DELETE" || route.path.ends_with("/archive");
    SCOPED_TRACE(fmt::format("{} {}", route.method, route.path));
    for (const std::string& bytes : kNasty) {
      for (int at = 0; at < 2; ++at) ask(route, path_of(route, at, bytes), "", body_of(route));
      for (const char* name : kParameters) {
        if (route.method != "GET") break;
        ask(route, path_of(route), fmt::format("{}={}", name, escaped(bytes)), "");
      }
      if (route.method != "POST" || ends) continue;
      json::value body = json::parse(body_of(route));
      each_replaced(body, body, bytes, [&](std::string text) { ask(route, path_of(route), "", text); });
      ask(route, path_of(route), "", bytes, bytes);
    }
  }
  EXPECT_GT(asked_, 10'000);
  expect_verified();
}

}  // namespace
}  // namespace feilun::gateway
