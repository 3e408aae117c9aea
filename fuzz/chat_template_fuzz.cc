// LINK: feilun_model
#include <cstdint>
#include <string_view>

#include "model/chat_template.h"

// The input is a template, a NUL, and the messages as JSON.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t border = input.find('\0');
  if (border == std::string_view::npos) return 0;
  const std::string_view messages = input.substr(border + 1);
  const auto compiled = feilun::model::ChatTemplate::compile(input.substr(0, border), "<s>", "</s>");
  if (compiled) (void)(*compiled)->render({.messages_json = messages, .tools_json = messages});
  return 0;
}
