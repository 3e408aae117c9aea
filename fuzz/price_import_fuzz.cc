// LINK: feilun_pricing
// A public list of prices comes from the network: whatever its bytes are, each entry is a sheet that has rows
// or keeps the reason why not.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "pricing/price_import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace feilun;
  using namespace feilun::pricing;
  const auto prices = read_reference_prices({reinterpret_cast<const char*>(data), size});
  if (!prices) {
    CHECK(!prices.error().message.empty());
    return 0;
  }
  for (const ReferencePrice& price : prices->all()) {
    CHECK(prices->find(price.provider, price.model, WallTime()));
    if (!price.sheet) {
      CHECK(!price.sheet.error().message.empty());
      continue;
    }
    CHECK(sheet_from_json(to_json(*price.sheet)).value() == *price.sheet);
    (void)resolve(*price.sheet, {}, WallTime());
  }
  return 0;
}
