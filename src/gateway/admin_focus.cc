// GET /v1/organization/focus
#include "gateway/admin_routes.h"
#include "gateway/paid_call.h"
#include "ledger/focus_export.h"

namespace feilun::gateway {
namespace {

namespace asio = boost::asio;
using ledger::State;

/// One export on its way out: a piece of text at a time, each from a transaction of its own, so that neither
/// the ledger's other readers nor memory notice how large it is.
class FocusReply {
 public:
  explicit FocusReply(AdminCall& call) : call_(call) {}

  /// The first piece says whether there can be others.
  Result<std::string> begin() {
    Month month;
    TRY(read_month(month));
    provider_ = TRY(call_.read<ledger::FocusProvider>(ledger::focus_provider));
    exported_ = TRY(call_.read<ledger::FocusExport>(
        [&](State& state) { return ledger::FocusExport::begin(state, month, call_.organisation); }));
    return ledger::focus_csv_header() + TRY(next());
  }

  /// Empty when there are none left.
  Result<std::string> next() {
    std::string csv;
    while (more_ && csv.empty()) {
      std::vector<ledger::FocusCharge> rows;
      more_ = TRY(call_.read<bool>([&](State& state) { return exported_->next(state, rows); }));
      for (const ledger::FocusCharge& row : rows) ledger::append_focus_row(csv, provider_, row);
    }
    return csv;
  }

 private:
  Result<> read_month(Month& month) const {
    auto parsed = parse_month(call_.request.query("month").value_or(""));
    if (!parsed) {
      return std::unexpected(
          Error{ErrorCode::kInvalidArgument, "write the month as in ?month=2026-10", "month"});
    }
    month = *parsed;
    return {};
  }

  AdminCall& call_;
  ledger::FocusProvider provider_;
  std::optional<ledger::FocusExport> exported_;
  bool more_ = true;
};

}  // namespace

asio::awaitable<void> stream_focus(Visit& visit, AdminCall call) {
  FocusReply reply(call);
  const auto& worker = visit.services.admin_work;
  auto piece = co_await run_on(worker, [&] { return reply.begin(); });
  if (!piece) {
    co_await visit.reply_error(piece.error());
    co_return;
  }
  bool listens = co_await visit.begin_download("text/csv; charset=utf-8; header=present");
  while (listens && piece && !piece->empty()) {
    listens = co_await visit.exchange.write(*std::move(piece));
    piece = co_await run_on(worker, [&] { return reply.next(); });
  }
  // Rows that are not what was charged: the reply is left without its end, so that nobody takes it for whole.
  if (piece) co_await visit.exchange.end_stream();
}

}  // namespace feilun::gateway
