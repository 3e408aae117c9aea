#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>

#include "jinja/template.h"

// A render keeps to its budget of memory even on its way to the error: what is made before the heap sees it
// counts too. Each template runs in a process of its own, whose peak tells.

namespace feilun::jinja {
namespace {

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitised = true;
#else
constexpr bool kSanitised = false;
#endif

int64_t peak_bytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

/// Ends the process: with 0 when rendering took no more than it may.
[[noreturn]] void render_and_exit(std::string_view source) {
  const int64_t before = peak_bytes();
  const auto compiled = Template::compile(source);
  if (compiled) (void)compiled->render({.json_object = R"({"s":"in"})"});
  const int64_t mebibytes = (peak_bytes() - before) >> 20;
  std::_Exit(!compiled ? 255 : mebibytes <= 48 ? 0 : static_cast<int>(std::min<int64_t>(mebibytes, 254)));
}

class JinjaMemory : public testing::TestWithParam<const char*> {};

TEST_P(JinjaMemory, StaysWithinTheBudget) {
  if (kSanitised) GTEST_SKIP() << "a sanitizer takes memory of its own";
  EXPECT_EXIT(render_and_exit(GetParam()), testing::ExitedWithCode(0), "")
      << "(the exit status is the number of MiB)";
}

INSTANTIATE_TEST_SUITE_P(
    Hostile, JinjaMemory,
    testing::Values(
        R"({{ ("a "*2000000).split() }})", R"({{ ("a "*2000000).rsplit() }})",
        R"({{ ("a "*2000000).split(" ") }})", R"({{ ("a "*2000000).rsplit(" ") }})",
        R"({{ ("a\n"*2000000).splitlines() }})", R"({{ ("a\n"*2000000)|indent }})",
        R"({{ ("a"*9000000)[::-1] }})", R"({{ ("a"*9000000)[1:] }})", R"({{ ("a"*2000000)|list }})",
        R"({{ ("a"*12000000)|upper|lower }})", R"({{ "a"|center(40000000) }})", R"({{ (s+"a")*1000000 }})",
        R"({{ ("a"*2000000)|replace("a","bb") }})",
        R"({% set n=namespace(x="a"*5000000) %}{{n.x}}{{n.x}}{{n.x}}{{n.x}}{{n.x}}{{n.x}}{{n.x}})",
        R"({% for i in range(90000) %}{% set x=[i,[i],{"a":i}] %}{% endfor %})",
        R"({{ (range(90000)|list)[::-1]|sort|unique|list|join("xxxxxxxxxx") }})"));

}  // namespace
}  // namespace feilun::jinja
