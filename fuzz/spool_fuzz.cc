// LINK: feilun_ledger
// Any bytes as a spool are records as far as they are whole, and these are written as they were read.
#include <cstdint>
#include <string>

#include "ledger/spool.h"

using namespace feilun::ledger;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const SpoolContents contents = read_spool(bytes);
  std::string again;
  for (const SpoolRecord& record : contents.records) again += spool_bytes(record);
  if (bytes.substr(0, contents.read) != again) __builtin_trap();
  return 0;
}
