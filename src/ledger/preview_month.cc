#include "ledger/preview_month.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "ledger/closed_months.h"
#include "ledger/coverage.h"
#include "ledger/invoicing.h"
#include "ledger/settled_requests.h"
#include "pricing/token_sum.h"

namespace feilun::ledger {
namespace {

/// Adds up the days around a month, in order.
class MonthPreview {
 public:
  MonthPreview(pricing::PreviewBuilder builder, Month month, std::string_view payer)
      : builder_(std::move(builder)), month_(month), payer_(payer) {}

  Result<> add_period(State& state, Period period) {
    return for_each_settled(state.store(), period,
                            [&](const ChargedRequest& request) { return add(state, request); });
  }
  pricing::PricePreview finish() const { return builder_.finish(); }

 private:
  struct Payer {
    std::string name;
    CountingMonths months;
    std::map<std::string, TokenCount> volumes;  ///< of the month, by offering
  };

  Result<Payer*> payer_of(State& state, const std::string& id) {
    auto place = payers_.find(id);
    if (place == payers_.end()) {
      const Buyer buyer = TRY(find_buyer(state, id));
      place = payers_.emplace(id, Payer{buyer.name, TRY(CountingMonths::of(state, buyer)), {}}).first;
    }
    return &place->second;
  }
  Result<> add(State& state, const ChargedRequest& request) {
    if (!payer_.empty() && payer_ != request.payer_id) return {};
    Payer& payer = *TRY(payer_of(state, request.payer_id));
    if (payer.months.at(request.sequence, request.settled) != month_) return {};
    TokenCount& volume = payer.volumes[request.offering];
    builder_.add({.customer = request.payer_id,
                  .customer_name = payer.name,
                  .offering = request.offering,
                  .currency = request.currency,
                  .tier = request.tier,
                  .usage = request.usage,
                  .covered = without(request.usage, uncovered(request.usage, request.covered())),
                  .volume_before = volume,
                  .charged = request.charged(),
                  .time = request.settled});
    volume = pricing::add_tokens(volume, request.usage.input() + request.usage.total_output());
    return {};
  }

  pricing::PreviewBuilder builder_;
  Month month_;
  std::string_view payer_;
  std::map<std::string, Payer> payers_;
};

}  // namespace

Result<pricing::PricePreview> preview_month(Ledger& ledger, std::vector<PriceVersion> candidates, Month month,
                                            std::string_view payer) {
  MonthPreview preview(TRY(pricing::PreviewBuilder::make(std::move(candidates))), month, payer);
  const Period utc = TimeZone::utc().period_of(month);
  const Period around{utc.from - kZonesSpan, utc.until + kZonesSpan};
  for (WallTime from = around.from; from < around.until;) {
    const Period day{from, std::min(from + std::chrono::hours(24), around.until)};
    TRY(ledger.read<void>([&](State& state) { return preview.add_period(state, day); }));
    from = day.until;
  }
  return preview.finish();
}

}  // namespace feilun::ledger
