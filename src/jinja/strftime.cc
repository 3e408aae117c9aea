#include "jinja/strftime.h"

#include <fmt/format.h>
#include <time.h>

namespace feilun::jinja {
namespace {

constexpr size_t kFormatMax = 1000;

}  // namespace

Result<std::string> format_time(WallTime moment, std::string_view format) {
  if (format.size() > kFormatMax)
    return fail(ErrorCode::kInvalidArgument, "the format of the time is too long");
  const auto micros = moment.time_since_epoch().count();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(moment).time_since_epoch().count();
  const time_t time = seconds;
  tm parts = {};
  if (gmtime_r(&time, &parts) == nullptr)
    return fail(ErrorCode::kInvalidArgument, "the time is out of range");
  // One conversion at a time, so that neither a width nor an unknown letter can ask for anything large.
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out.push_back(format[i]);
      continue;
    }
    const bool unpadded = format[i + 1] == '-' && i + 2 < format.size();
    i += unpadded ? 2 : 1;
    if (format[i] == 'f') {
      out += fmt::format("{:06}", micros - seconds * 1'000'000);
      continue;
    }
    if (!std::string_view("aAwdbBmyYHIMSpjUWcxXGuVzZDeFhnRrtTsgCP%k l").contains(format[i])) {
      out += {'%', format[i]};
      continue;
    }
    const char conversion[4] = {'%', unpadded ? '-' : format[i], unpadded ? format[i] : '\0', '\0'};
    char buffer[128];
    out.append(buffer, strftime(buffer, sizeof buffer, conversion, &parts));
  }
  return out;
}

}  // namespace feilun::jinja
