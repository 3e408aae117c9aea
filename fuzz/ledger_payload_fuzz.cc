// LINK: feilun_ledger
// Journal payloads and state rows are read without harm, whatever their bytes are.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ledger/verify_replay.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace feilun::ledger::audit;
  // The input is a run of payloads, each after its length in two bytes, replayed as one journal.
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  Replay replay([](const std::string&) {});
  std::string_view last;
  for (int64_t sequence = 1; rest.size() >= 2; ++sequence) {
    const size_t length =
        static_cast<size_t>(static_cast<uint8_t>(rest[0])) << 8 | static_cast<uint8_t>(rest[1]);
    rest.remove_prefix(2);
    last = rest.substr(0, length);
    rest.remove_prefix(last.size());
    if (const auto entry = read_payload(last)) replay.apply(sequence, sequence, *entry);
    (void)row_name(last);
  }
  for (const auto& [key, row] : replay.state()) {
    (void)row_name(key);
    (void)difference(key, last, row.value);
  }
  return 0;
}
