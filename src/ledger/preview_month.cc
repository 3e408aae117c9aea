#include "ledger/preview_month.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "ledger/coverage.h"
#include "ledger/invoicing.h"
#include "ledger/settled_requests.h"

namespace feilun::ledger {
namespace {

/// Adds up the days of a month, in order.
class MonthPreview {
 public:
  MonthPreview(pricing::PreviewBuilder builder, std::string_view payer)
      : builder_(std::move(builder)), payer_(payer) {}

  Result<> add_period(State& state, Period period) {
    return for_each_settled(state.store(), period,
                            [&](const SettledRequest& request) { return add(state, request); });
  }
  pricing::PricePreview finish() const { return builder_.finish(); }

 private:
  Result<> add(State& state, const SettledRequest& request) {
    if (!payer_.empty() && payer_ != request.payer_id) return {};
    auto name = names_.find(request.payer_id);
    if (name == names_.end()) {
      name = names_.emplace(request.payer_id, TRY(find_buyer(state, request.payer_id)).name).first;
    }
    TokenCount& volume = volumes_[{request.payer_id, request.offering}];
    builder_.add({.customer = request.payer_id,
                  .customer_name = name->second,
                  .offering = request.offering,
                  .currency = request.currency,
                  .tier = request.tier,
                  .usage = request.usage,
                  .covered = without(request.usage, uncovered(request.usage, request.covered_tokens)),
                  .volume_before = volume,
                  .charged = request.charged,
                  .time = request.time});
    volume += request.usage.input() + request.usage.total_output();
    return {};
  }

  pricing::PreviewBuilder builder_;
  std::string_view payer_;
  std::map<std::string, std::string> names_;  ///< of payers
  std::map<std::pair<std::string, std::string>, TokenCount> volumes_;
};

}  // namespace

Result<pricing::PricePreview> preview_month(Ledger& ledger, std::vector<PriceVersion> candidates, Month month,
                                            std::string_view payer) {
  MonthPreview preview(TRY(pricing::PreviewBuilder::make(std::move(candidates))), payer);
  const Period whole = TimeZone::utc().period_of(month);
  for (WallTime from = whole.from; from < whole.until;) {
    const Period day{from, std::min(from + std::chrono::hours(24), whole.until)};
    TRY(ledger.read<void>([&](State& state) { return preview.add_period(state, day); }));
    from = day.until;
  }
  return preview.finish();
}

}  // namespace feilun::ledger
