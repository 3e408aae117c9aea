#pragma once

/// CHECK(condition) ends the process with the condition and its place when a programmer's assumption is
/// broken. It is always on. What bad input can cause is never a CHECK but a Result (result.h).

namespace feilun {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define CHECK(condition) \
  (static_cast<bool>(condition) ? void() : ::feilun::check_failed(#condition, __FILE__, __LINE__))
