// LINK: feilun_pricing
// A sheet is written by hand: whatever stands in it, the answer is a sheet whose rows price every request, or
// one clear sentence. The first byte says what the rest is: a sheet, exchange rates or a journal's version.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "pricing/price_sheet.h"

namespace {

using namespace feilun;
using namespace feilun::pricing;

void read_sheet(std::string_view text) {
  static const ExchangeRates rates =
      rates_from_json(R"([{"from":"CNY","to":"USD","rate":"0.138901","since":"2026-01-01"}])").value();
  const auto sheet = sheet_from_json(text);
  if (!sheet) {
    CHECK(!sheet.error().message.empty());
    return;
  }
  CHECK(sheet_from_json(to_json(*sheet)).value() == *sheet);
  const auto resolved = resolve(*sheet, rates, WallTime::max());
  if (!resolved) return;
  for (PriceVersion version : *resolved) {
    version.offering = "x";
    CHECK(check_rows(version));
    CHECK(price_from_json(to_json(version)).value() == version);
    for (const TokenCount input : {0, 1, 32'000, 1'000'000'000}) {
      const UnitPrices& units = version.rows[row_of(version, ServiceTier::kBatch, input, input)].units;
      CHECK(units.cache_write <= worst_input_unit(version, ServiceTier::kBatch, input));
      CHECK(units.reasoning <= worst_output_unit(version, ServiceTier::kBatch, input));
    }
  }
}

void read_rates(std::string_view text) {
  const auto rates = rates_from_json(text);
  if (rates) (void)rates->rate_at("CNY", "USD", WallTime(std::chrono::seconds(1'800'000'000)));
}

void read_version(std::string_view text) {
  const auto version = price_from_json(text);
  if (version) CHECK(to_json(*version) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'r':
      read_rates(text);
      break;
    case 'v':
      read_version(text);
      break;
    default:
      read_sheet(text);
  }
  return 0;
}
