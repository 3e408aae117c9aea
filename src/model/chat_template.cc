#include "model/chat_template.h"

#include "base/json.h"
#include "jinja/template.h"

namespace feilun::model {
namespace {

class JinjaChatTemplate final : public ChatTemplate {
 public:
  JinjaChatTemplate(jinja::Template compiled, std::string_view bos_token, std::string_view eos_token)
      : template_(std::move(compiled)), bos_token_(bos_token), eos_token_(eos_token) {}

  Result<std::vector<PromptFragment>> render(const ChatInput& input) const override {
    const jinja::Text prompt = TRY(template_.render(variables(input)));
    std::vector<PromptFragment> fragments;
    size_t begin = 0;
    for (const jinja::Text::Run& run : prompt.runs()) {
      fragments.push_back({std::string(prompt.bytes().substr(begin, run.end - begin)), run.trusted});
      begin = run.end;
    }
    return fragments;
  }

 private:
  // The names that published templates expect. A token the model does not have is not defined at all.
  jinja::Variables variables(const ChatInput& input) const {
    jinja::Variables variables;
    variables.json.emplace_back("messages", input.messages_json);
    variables.nothing = {"documents"};
    if (input.tools_json.empty()) {
      variables.nothing.push_back("tools");
    } else {
      variables.json.emplace_back("tools", input.tools_json);
    }
    if (!bos_token_.empty()) variables.text.emplace_back("bos_token", bos_token_);
    if (!eos_token_.empty()) variables.text.emplace_back("eos_token", eos_token_);
    variables.flags.emplace_back("add_generation_prompt", input.add_generation_prompt);
    variables.json_object = input.variables_json;
    variables.now = input.now;
    return variables;
  }

  jinja::Template template_;
  std::string bos_token_, eos_token_;
};

Error in_template(Error error) {
  error.message.insert(0, "chat template: ");
  return error;
}

}  // namespace

Result<std::unique_ptr<ChatTemplate>> ChatTemplate::compile(std::string_view source,
                                                            std::string_view bos_token,
                                                            std::string_view eos_token) {
  auto compiled = jinja::Template::compile(source);
  if (!compiled) return std::unexpected(in_template(std::move(compiled).error()));
  for (const std::string_view token : {bos_token, eos_token}) {
    if (simdjson::validate_utf8(token)) continue;
    return fail(ErrorCode::kInvalidArgument, "chat template: the model's BOS or EOS token is not UTF-8");
  }
  return std::make_unique<JinjaChatTemplate>(std::move(*compiled), bos_token, eos_token);
}

}  // namespace feilun::model
