#include "jinja/template.h"

#include <gtest/gtest.h>

#include <string>

namespace feilun::jinja {
namespace {

std::string render(std::string_view source, std::string_view variables = "{}") {
  auto compiled = Template::compile(source);
  if (!compiled) return "ERROR " + compiled.error().message;
  auto text = compiled->render({.json_object = variables});
  if (!text) return "ERROR " + text.error().message;
  return std::string(text->bytes());
}

TEST(Template, RendersChatMl) {
  EXPECT_EQ(render("{% for m in messages %}{{'<|im_start|>' + m['role'] + '\\n' + m.content + '<|im_end|>' + "
                   "'\\n'}}{% endfor %}"
                   "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
                   R"({"messages":[{"role":"user","content":"hi"}],"add_generation_prompt":true})"),
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
}

}  // namespace
}  // namespace feilun::jinja
