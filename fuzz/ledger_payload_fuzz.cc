// LINK: feilun_ledger
// A journal payload is read without harm, whatever its bytes are.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ledger/verify_payload.h"
#include "ledger/verify_replay.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace feilun::ledger::audit;
  // The input is a run of payloads, each after its length in one byte, replayed as one journal.
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  Replay replay([](const std::string&) {});
  for (int64_t sequence = 1; !rest.empty(); ++sequence) {
    const size_t length = static_cast<uint8_t>(rest[0]);
    rest.remove_prefix(1);
    const auto entry = read_payload(rest.substr(0, length));
    if (entry) replay.apply(sequence, sequence, *entry);
    rest.remove_prefix(length < rest.size() ? length : rest.size());
  }
  (void)replay.accounts();
  (void)replay.usage();
  return 0;
}
