// LINK: feilun_base
// A time, a day or a month that is read is written as the same one; a zone that is found has days.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/civil_time.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace feilun;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto time = parse_iso8601(text)) require(parse_iso8601(to_iso8601(*time)) == *time);
  if (const auto day = parse_day(text)) require(to_string(*day) == text);
  if (const auto month = parse_month(text)) require(to_string(*month) == text);
  if (const auto zone = TimeZone::find(text)) {
    const WallTime time(std::chrono::seconds(1'770'000'000));
    require(zone->period_of(zone->day_of(time)).contains(time));
  }
  return 0;
}
