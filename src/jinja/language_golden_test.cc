#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "base/json.h"
#include "jinja/template.h"

// Small templates and what Python's jinja2 makes of them (tools/golden/jinja_language.py).
namespace feilun::jinja {
namespace {

// 2025-03-09 04:05:06, the moment at which the goldens were rendered.
constexpr WallTime kNow{std::chrono::seconds(1'741'493'106)};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string cases_path() {
  const char* other = std::getenv("FEILUN_JINJA_CASES");
  return other != nullptr ? other : FEILUN_SOURCE_DIR "/tests/golden/chat_templates/language.json";
}

TEST(JinjaLanguage, AgreesWithPythonOnEveryCase) {
  auto document = JsonDocument::parse(read_file(cases_path()));
  ASSERT_TRUE(document) << document.error().message;
  const std::string variables = simdjson::to_string(document->root()["variables"]);
  size_t count = 0;
  for (simdjson::dom::element row : document->root()["cases"].get_array()) {
    const std::string_view source = row.at(0).get_string();
    const bool fails = row.at(1).is_null();
    const auto compiled = Template::compile(source);
    const auto text = compiled ? compiled->render({.json_object = variables, .now = kNow})
                               : std::unexpected(compiled.error());
    ++count;
    if (fails) {
      EXPECT_FALSE(text) << source << "\ngives " << text->bytes() << "\nwhere Python refuses";
    } else if (!text) {
      ADD_FAILURE() << source << "\nfails: " << text.error().message
                    << "\nexpected: " << row.at(1).get_string().value();
    } else {
      EXPECT_EQ(text->bytes(), row.at(1).get_string().value()) << source;
    }
  }
  EXPECT_GT(count, 100U);
}

}  // namespace
}  // namespace feilun::jinja
