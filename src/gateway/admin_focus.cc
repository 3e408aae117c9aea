// GET /v1/organization/focus
#include "gateway/admin_routes.h"
#include "gateway/paid_call.h"
#include "ledger/focus_export.h"

namespace feilun::gateway {
namespace {

namespace asio = boost::asio;
using ledger::FocusCsv;

Result<FocusCsv> begin_export(const AdminCall& call) {
  const auto month = parse_month(call.request.query("month").value_or(""));
  if (!month) return invalid("month", "write the month as in ?month=2026-10");
  return FocusCsv::begin(call.ledger, *month, call.organisation);
}

}  // namespace

asio::awaitable<void> stream_focus(Visit& visit, AdminCall call) {
  const auto& worker = visit.services.admin_work;
  std::optional<FocusCsv> exported;
  // The first piece says whether there can be others.
  auto piece = co_await run_on(worker, [&]() -> Result<std::string> {
    exported.emplace(TRY(begin_export(call)));
    return exported->next();
  });
  if (!piece) {
    co_await visit.reply_error(piece.error());
    co_return;
  }
  bool listens = co_await visit.begin_download("text/csv; charset=utf-8; header=present");
  while (listens && piece && !piece->empty()) {
    listens = co_await visit.exchange.write(*std::move(piece));
    piece = co_await run_on(worker, [&] { return exported->next(); });
  }
  // Rows that are not what was charged: the reply is left without its end, so that nobody takes it for whole.
  if (piece) co_await visit.exchange.end_stream();
}

}  // namespace feilun::gateway
