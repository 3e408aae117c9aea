#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/tokenizer.h"

namespace feilun::model {

/// What a chat template is given. `messages_json` is the request's `messages` array as JSON text, already
/// checked by the caller; every string in it is untrusted content.
struct ChatInput {
  std::string_view messages_json;
  std::string_view tools_json = {};      ///< empty: none
  std::string_view variables_json = {};  ///< an object of extra template variables (chat_template_kwargs)
  bool add_generation_prompt = true;
  WallTime now = {};  ///< for strftime_now
};

/// A chat template in the Jinja subset that published models use. Immutable; any thread may call render.
class ChatTemplate {
 public:
  virtual ~ChatTemplate() = default;

  /// Compiles `source`. kInvalidArgument with line and column when it is not in the subset.
  static Result<std::unique_ptr<ChatTemplate>> compile(std::string_view source, std::string_view bos_token,
                                                       std::string_view eos_token);

  /// The prompt as fragments: text the template wrote is trusted, text from the input is not. Bounded work:
  /// a hostile template ends with an error, not a hang. raise_exception gives kInvalidArgument.
  virtual Result<std::vector<PromptFragment>> render(const ChatInput& input) const = 0;
};

}  // namespace feilun::model
