// LINK: feilun_gateway
// Any bytes as the body of a chat, completion or embedding request: a 400 whose body is JSON, or a request
// whose messages are JSON for the template.
#include <cstdint>
#include <string>

#include "gateway/chat_request.h"
#include "gateway/completion_request.h"
#include "gateway/embedding_request.h"
#include "gateway/error_reply.h"

namespace {

using namespace feilun;
using namespace feilun::gateway;

void check_refusal(const Error& error) {
  if (error_look(error).status != 400 || !JsonDocument::parse(error_body(error))) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  if (const auto chat = parse_chat_request(body); !chat) {
    check_refusal(chat.error());
  } else if (!JsonDocument::parse(chat->messages_json)) {
    __builtin_trap();
  }
  if (const auto completion = parse_completion_request(body); !completion) {
    check_refusal(completion.error());
  } else if (completion->prompts.empty() ||
             completion->prompts.size() * static_cast<size_t>(completion->parameters.n) > kPromptsMax) {
    __builtin_trap();
  }
  if (const auto embedding = parse_embedding_request(body); !embedding) {
    check_refusal(embedding.error());
  } else if (embedding->inputs.empty() || embedding->inputs.size() > kEmbeddingInputsMax) {
    __builtin_trap();
  }
  return 0;
}
