#include "jinja/template.h"

#include <gtest/gtest.h>

#include <string>

namespace feilun::jinja {
namespace {

Result<Text> render_text(std::string_view source, std::string_view variables = "{}") {
  const auto compiled = Template::compile(source);
  if (!compiled) return std::unexpected(compiled.error());
  return compiled->render({.json_object = variables});
}

std::string render(std::string_view source, std::string_view variables = "{}") {
  const auto text = render_text(source, variables);
  return text ? std::string(text->bytes()) : "ERROR " + text.error().message;
}

// The text with what the input wrote in angle brackets.
std::string origins(std::string_view source, std::string_view variables) {
  const auto text = render_text(source, variables);
  if (!text) return "ERROR " + text.error().message;
  std::string marked;
  size_t begin = 0;
  for (const Text::Run& run : text->runs()) {
    const std::string piece(text->bytes().substr(begin, run.end - begin));
    marked += run.trusted ? piece : "<" + piece + ">";
    begin = run.end;
  }
  return marked;
}

TEST(Template, NamesLineAndColumnOfSyntaxErrors) {
  EXPECT_EQ(render("a\n  {{ 1 + }}"), "ERROR line 2, column 10: expected an expression, found '}}'");
  EXPECT_EQ(render("{% if x %}"), "ERROR line 1, column 11: the block is not closed by '{% endif %}'");
  EXPECT_EQ(render("飞轮{{ 'x }}"), "ERROR line 1, column 6: the string is not closed");
  EXPECT_EQ(render("\n{# x"), "ERROR line 2, column 1: the comment is not closed by '#}'");
  EXPECT_EQ(render("{{ (1] }}"), "ERROR line 1, column 6: unexpected ']', expected ')'");
  EXPECT_EQ(render("{% frob %}"), "ERROR line 1, column 4: unknown tag 'frob'");
  EXPECT_EQ(render("{{ ? }}"), "ERROR line 1, column 4: unexpected character '?'");
  EXPECT_EQ(render("\xff"), "ERROR the template is not valid UTF-8");
}

TEST(Template, NamesThePlaceAndReasonOfErrorsAtRunTime) {
  EXPECT_EQ(render("x\n{{ a.b }}"), "ERROR line 2, column 6: 'a' is undefined");
  EXPECT_EQ(render("{{ d.a.b }}", R"({"d":{}})"),
            "ERROR line 1, column 8: 'dict object' has no attribute 'a'");
  EXPECT_EQ(render("{{ 'a' + 1 }}"), "ERROR line 1, column 8: '+' does not work on a str and a int");
  EXPECT_EQ(render("{{ x | frob }}"), "ERROR line 1, column 8: unknown filter 'frob'");
  EXPECT_EQ(render("{{ x is frob }}"), "ERROR line 1, column 9: unknown test 'frob'");
  EXPECT_EQ(render("{{ [1].append(2) }}"),
            "ERROR line 1, column 14: 'append' would change a list, which a template may not");
  EXPECT_EQ(render("{{ raise_exception('no') }}"), "ERROR line 1, column 19: no");
  EXPECT_EQ(render("{{ 'x' | replace('a') }}"),
            "ERROR line 1, column 10: 'replace' needs the argument 'new'");
  EXPECT_EQ(render("{% set x = 1 %}{% set x.y = 2 %}"),
            "ERROR line 1, column 23: 'x' is not a namespace, its attributes cannot be set");
}

TEST(Template, KeepsOriginsThroughOperators) {
  const std::string_view v = R"({"x":"in","y":"a,b"})";
  EXPECT_EQ(origins("t{{ x }}t", v), "t<in>t");
  EXPECT_EQ(origins("{{ 'a' + x + 'b' }}{{ 'c' ~ x }}", v), "a<in>bc<in>");
  EXPECT_EQ(origins("{{ ('a' + x)[1:] }}{{ ('ab' + x)[::-1] }}", v), "<inni>ba");
  EXPECT_EQ(origins("{{ x * 2 }}{{ '-' * 2 }}", v), "<inin>--");
  EXPECT_EQ(origins("{{ '%s=%s' % ('k', x) }}", v), "k=<in>");
  EXPECT_EQ(origins("{% for c in 'a' + x %}{{ c }}.{% endfor %}", v), "a.<i>.<n>.");
  EXPECT_EQ(origins("{% set z %}[{{ x }}]{% endset %}{{ z }}", v), "[<in>]");
  EXPECT_EQ(origins("{% macro m(a) %}({{ a }}){% endmacro %}{{ m(x) }}", v), "(<in>)");
}

TEST(Template, KeepsOriginsThroughFiltersAndMethods) {
  const std::string_view v = R"({"x":" in ","y":"a,b","l":["p","q"]})";
  EXPECT_EQ(origins("{{ ('a' + x) | upper }}", v), "A< IN >");
  EXPECT_EQ(origins("{{ x | trim }}{{ ('a' + x).strip() }}", v), "<in>a< in>");
  EXPECT_EQ(origins("{{ y.split(',')[1] + ',' }}", v), "<b>,");
  EXPECT_EQ(origins("{{ y | replace(',', '|') }}{{ 'a,b' | replace(',', x) }}", v), "<a>|<b>a< in >b");
  EXPECT_EQ(origins("{{ l | join('+') }}", v), "<p>+<q>");
  EXPECT_EQ(origins("{{ l }}{{ ['t'] }}{{ ['t', y] }}", v), "<['p', 'q']>['t']<['t', 'a,b']>");
  EXPECT_EQ(origins("{{ l | tojson }}{{ {'k': 1} | tojson }}", v), "<[\"p\", \"q\"]>{\"k\": 1}");
  EXPECT_EQ(origins("{{ l | length }}{{ l[0] == 'p' }}", v), "2True");
}

TEST(Template, EndsHostileTemplatesWithAnError) {
  const auto fails = [](const std::string& source) { return render(source).starts_with("ERROR"); };
  EXPECT_TRUE(fails("{% for i in range(10**9) %}x{% endfor %}"));
  EXPECT_TRUE(fails("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"));
  EXPECT_TRUE(
      fails("{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}"));
  EXPECT_TRUE(
      fails("{% set n = namespace(l=[1]) %}{% for i in range(99) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ "
            "n.l }}"));
  EXPECT_TRUE(
      fails("{% set n = namespace(l=[]) %}{% for i in range(9999) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l "
            "| tojson }}"));
  EXPECT_TRUE(
      fails("{% set n = namespace(l=()) %}{% for i in range(9999) %}{% set n.l = (n.l,) %}{% endfor %}{{ "
            "{n.l: 1} }}"));
  EXPECT_TRUE(fails("{{ 'x' * 10**12 }}"));
  EXPECT_TRUE(fails("{{ ('x' * 10000) | replace('', 'y' * 100000) }}"));
  EXPECT_TRUE(fails("{{ 'x' | center(10**12) }}"));
  EXPECT_TRUE(fails("{{ '%999999999d' % 1 }}"));
  EXPECT_TRUE(fails("{{ 10 ** 10 ** 10 }}"));
  EXPECT_TRUE(fails("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"));
  EXPECT_TRUE(fails("{% for i in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}"));
}

TEST(Template, RefusesDeepNestingBeforeTheStackEnds) {
  const auto repeat = [](std::string_view text, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
  };
  for (const char* open : {"(", "[", "{1:", "not ", "-", "a[", "f(", "1 if 1 else "}) {
    EXPECT_TRUE(render("{{ " + repeat(open, 100'000)).starts_with("ERROR")) << open;
  }
  for (const char* chain : {".a", "[0]", "()", "|e", "+1", " and 1", "**2", " if 1"}) {
    EXPECT_TRUE(render("{{ a" + repeat(chain, 100'000) + " }}").starts_with("ERROR")) << chain;
  }
  EXPECT_TRUE(render(repeat("{% if 1 %}", 10'000) + repeat("{% endif %}", 10'000)).starts_with("ERROR"));
  EXPECT_TRUE(render("{% set " + repeat("(", 10'000)).starts_with("ERROR"));
}

TEST(Template, SurvivesTheDeepestRecursionItAllows) {
  // Wide frames on purpose: each level of the macro passes through a loop, a condition and a call in
  // parentheses.
  EXPECT_TRUE(
      render(
          "{% macro m(n) %}{% for i in [1] %}{% if n > 0 %}{{ ((((('a' ~ (m(n - 1) | trim)))))) }}{% endif %}"
          "{% endfor %}{% endmacro %}{{ m(100000) }}")
          .starts_with("ERROR"));
}

TEST(Template, TakesTheLastOfDuplicateKeys) {
  EXPECT_EQ(render("{{ d }}", R"({"d":{"a":1,"b":2,"a":3}})"), "{'a': 3, 'b': 2}");
}

TEST(Template, RefusesVariablesThatAreNoObject) {
  EXPECT_EQ(render("x", "[1]"), "ERROR the template's variables must be a JSON object");
  EXPECT_TRUE(render("x", "{").starts_with("ERROR"));
}

TEST(Template, FormatsTheGivenMoment) {
  const auto compiled = Template::compile("{{ strftime_now('%d %b %Y %H:%M:%S.%f %Q') }}");
  const WallTime moment{std::chrono::microseconds(1'741'493'106'000'042)};
  EXPECT_EQ(compiled->render({.now = moment})->bytes(), "09 Mar 2025 04:05:06.000042 %Q");
}

}  // namespace
}  // namespace feilun::jinja
