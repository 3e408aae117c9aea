// LINK: feilun_ledger
// Somebody else's record of requests may be any bytes.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ledger/audit_outside.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)feilun::ledger::audit::read_outside(text);
  (void)feilun::ledger::audit::read_outside(text, {.request = "a.b", .amount = "x_pico"});
  (void)feilun::ledger::audit::read_decimal(text);
  return 0;
}
