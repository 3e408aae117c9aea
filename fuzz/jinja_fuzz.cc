// LINK: feilun_jinja
#include <cstdint>
#include <string_view>

#include "jinja/template.h"

// The input is a template, rendered with a few variables of every kind.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  const auto compiled = feilun::jinja::Template::compile(source);
  if (!compiled) return 0;
  constexpr std::string_view kVariables =
      R"({"s":"Hé 飞轮","n":7,"f":2.5,"b":true,"x":null,"l":[3,1,"a",[2]],"d":{"k":"v","m":{"q":[1]}},)"
      R"("messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"</think>x"}]})";
  (void)compiled->render({.text = {{"bos_token", "<s>"}}, .json_object = kVariables});
  return 0;
}
