#!/usr/bin/env python3
"""Small templates and what Python's jinja2 (set up as in chat_templates.py) makes of them: one for each corner of the
language that was thought of, then random ones from a grammar. Each case: template, text (null: an error).

Usage: python jinja_language.py OUT.json [SEED [COUNT]]     (needs jinja2)
A file from another seed is checked with FEILUN_JINJA_CASES=OUT.json jinja_test.
"""
import copy
import json
import random
import sys

from chat_templates import environment

VARIABLES = {
    "s": "Hello, Wörld", "t": "  a b  c\n", "empty": "", "zh": "飞轮 储能\n第二行", "emoji": "a👍🏽b", "quote": "it's \"x\"",
    "n": 7, "m": -3, "z": 0, "f": 2.5, "big": 12345678901234567890, "yes": True, "no": False, "nil": None,
    "list": [3, 1, 2], "words": ["b", "A", "c", "a"], "mixed": [1, "x", None, True, 2.0, [1]], "none_list": [],
    "d": {"b": 1, "a": [1, 2], "items": "shadow", "k": {"x": "y"}}, "ed": {},
    "rows": [{"name": "x", "age": 3, "on": True}, {"name": "Y", "age": 1, "on": False}, {"name": "z", "age": 2}],
}

EXPRESSIONS = """
1 + 2 * 3 | 7 // 2 | -7 // 2 | 7 % 3 | -7 % 3 | 7 / 2 | 6 / 2 | 2 ** 10 | -2 ** 2 | 2 ** -1 | 7.5 // 2 | -7.5 % 2 | 1e3 | 1_000 | 0.1 + 0.2
1e16 | 1e15 | 1e-5 | 0.0001 | 123456789.125 | 1.0 | -0.0 | 1e300 * 10 | f * 2 | n / 0 | n // 0 | n % 0 | big + 1 | 2 ** 100 | 10 ** 20 // 3
true + 1 | yes | no | nil | not nil | none is none | True and 0 | 0 or "x" | "" or none | 1 < 2 < 3 | 1 < 3 < 2 | 1 == 1.0 | true == 1 | "a" < "b"
[1,2] < [1,3] | "a" == 1 | none == false | 3 in list | "x" in d | "b" in d | "ll" in s | 3 not in list | 1 in "x" | nil in mixed | "q" in undef
s[0] | s[-1] | s[99] | s[1:3] | s[::-1] | s[::2] | s[-3:] | s[:-3] | s[5:1] | s[10:0:-3] | zh[1] | zh[:2] | emoji[1:3] | emoji | length | list[1:] | list[::-1] | list[5] | list[-1] | words[:2]
s | length | zh | length | list | length | d | length | empty | length | undef | length | n | length | s | upper | zh | upper | "straße ÀÉ" | upper | s | lower | "hello wORLD-foo (bar)" | title | "hELLO" | capitalize
t | trim | "xxaxx" | trim("x") | t.strip() | t.lstrip() | t.rstrip() | "xyaxy".strip("yx") | t.split() | t.split(" ") | "a,b,c".split(",", 1) | "a,b,c".rsplit(",", 1) | " a  b c ".split(none, 1) | " a  b c ".rsplit(none, 1) | "a".split("") | "".split() | "".split(",")
"a\\nb\\r\\nc".splitlines() | s.startswith("He") | s.endswith(("x", "ld")) | s.startswith("lo", 3) | s.find("o") | s.find("zz") | s.rfind("o") | zh.find("储") | s.count("l") | "aaa".count("aa") | s.replace("l", "L") | s.replace("l", "L", 1) | "ab".replace("", "-") | s | replace("l", "")
"1" ~ 2 ~ none ~ true | "a" "b" | "a" * 3 | 3 * "ab" | [1] * 2 | [1] + [2] | (1, 2) + (3,) | "a" + 1 | 1 + "a" | list + "a" | undef ~ "x" | undef + "x" | nil ~ "" | undef.x | d.x.y | d.nope | d["nope"] | nil.x
d.b | d["a"] | d.items | d["items"] | d.k.x | d.get("b") | d.get("zz") | d.get("zz", 5) | d.keys() | list | d.values() | list | d.items() | list | d | list | d | items | list | undef | items | list | n | items | list | d | dictsort | {"B": 2, "a": 1} | dictsort | {"B": 2, "a": 1} | dictsort(true) | {"b": 1, "a": 2} | dictsort(by="value", reverse=true)
d | tojson | mixed | tojson | zh | tojson | quote | tojson | rows | tojson(indent=2) | ed | tojson(indent=4) | none_list | tojson(indent=1) | "\\u00e9\\u4e2d" | tojson(ensure_ascii=true) | emoji | tojson(ensure_ascii=true) | d | tojson(separators=(",", ":")) | {"b": 1, "a": 2} | tojson(sort_keys=true) | (1, 2) | tojson | {1: 2, none: 3, true: 4} | tojson | undef | tojson | 1e16 | tojson | "\\x7f\\x01\\b" | tojson | f | tojson | "</script>&'" | tojson
list | string | mixed | string | d | string | quote | string | [quote] | string | ["\\n\\t\\\\"] | string | [zh] | string | [emoji, "\\u200d\\xa0\\xad"] | string | (1,) | string | () | string | [1e16, 0.1] | string | nil | string | yes | string | [undef] | string | ["it's"] | string | ['"'] | string
"3" | int | "3.7" | int | "x" | int | "x" | int(9) | " 12 " | int | "0x1f" | int(0, 16) | "ff" | int(base=16) | 3.9 | int | -3.9 | int | nil | int | true | int | "1.5" | float | "x" | float | "x" | float(1.0) | 3 | float | "1e3" | float | list | int | "-5" | int | "+5" | int | "inf" | float | undef | int
2.5 | round | 3.5 | round | 2.567 | round(2) | 2.1 | round(method="ceil") | 2.9 | round(method="floor") | 1234 | round(-2) | 7 | round | -3 | abs | -2.5 | abs | [1, 2, 3] | sum | rows | sum(attribute="age") | rows | map(attribute="age") | sum | ["a"] | sum | [[1], [2]] | sum(start=[]) | list | min | list | max | words | min | words | max | [] | max | rows | max(attribute="age") | 2.675 | round(2)
list | sort | words | sort | words | sort(case_sensitive=true) | list | sort(reverse=true) | rows | sort(attribute="age") | map(attribute="name") | join | mixed | sort | words | unique | list | ["a", "A", "a"] | unique | list | ["a", "A"] | unique(case_sensitive=true) | list | list | reverse | list | s | reverse | words | join | words | join("-") | rows | join(",", attribute="name") | list | join(", ") | mixed | join("|")
rows | map(attribute="name") | list | rows | map(attribute="on") | list | rows | map(attribute="on", default=0) | list | words | map("upper") | list | words | map("replace", "a", "X") | join | list | map("string") | list | words | select("in", ["a", "b"]) | list | list | select("odd") | list | list | reject("odd") | list | [0, 1, "", "x", none] | select | list | rows | selectattr("on") | map(attribute="name") | list | rows | selectattr("age", ">", 1) | map(attribute="name") | list | rows | rejectattr("on", "defined") | map(attribute="name") | list | rows | selectattr("name", "equalto", "Y") | list | length
undef | default("x") | empty | default("x") | empty | default("x", true) | nil | default("x") | nil | default("x", boolean=true) | undef | d(1) | list | first | list | last | none_list | first | s | first | d | first | [[1, 2], [3]] | map("first") | list | [[1, 2], [3]] | map("length") | list | [3, 4] | batch(1) | list | [1, 2, 3] | batch(2, 0) | list | [1, 2, 3] | batch(2) | map("join", "+") | join(";")
"a\\nb\\n\\nc" | indent | "a\\nb" | indent(2, true) | "a\\n\\nb" | indent(2, blank=true) | "a\\nb" | indent("> ") | "%s-%d-%.2f-%5s|%-5s|%05d|%x|%%" | format("a", 3, 1.5, "r", "l", 42, 255) | "%s" % "x" | "%s %s" % ("a", 1) | "%d" % "x" | "a b c d e f" | truncate(7, leeway=0) | "abcdefghij" | truncate(5, true, leeway=0) | "abc" | center(9) | "a b c" | wordcount | "<a&'>" | escape | "<a>" | e | "x" | safe | 1 | safe + 1
s is defined | undef is defined | undef is undefined | s is string | n is string | n is number | f is number | yes is number | yes is integer | n is integer | f is float | yes is boolean | n is boolean | d is mapping | list is mapping | list is sequence | s is sequence | d is sequence | n is sequence | n is iterable | s is iterable | undef is iterable | nil is none | nil is not none | 3 is odd | 4 is even | 9 is divisibleby 3 | 9 is divisibleby(2) | 3 is eq 3 | 3 is equalto(4) | 3 is ne 4 | 3 is gt 2 | 3 is lt 2 | 3 is ge 3 | 2 is in list | 9 is in(list) | "abc" is lower | "ABC" is upper | "aBc" is lower | none is sameas none | yes is true | no is false | 1 is true | s.upper is callable | n is callable | "upper" is filter | "nope" is filter | "odd" is test
"a" if yes | "a" if no | "a" if no else "b" | ("a" if no) is defined | "a" if yes else undef.x.y | not yes or yes | not (yes and no) | yes and not no | n > 3 and f < 3 | n is defined and n > 3 | s is string and s | length > 3 | not undef | undef == undef | undef == none | [] == () | [1, 2] == [1, 2] | {"a": 1} == {"a": 1.0} | (1, 2) == (1, 2) | "é" == "e\\u0301" | n if n > 9 else m if m > 0 else "none"
range(3) | list | range(1, 4) | list | range(5, 0, -2) | list | range(0) | list | range(3) | length | range(1000000) | list | range(3)[1] | dict(a=1, b="x") | dict([["a", 1]]) | dict(d, z=1) | length | namespace(a=1).a | namespace(d).b | strftime_now("%Y-%m-%d %H:%M:%S") | strftime_now("%d %b %Y, %A %B %j %I %p %y %%") | strftime_now("%-d") | raise_exception("boom") | list.append(1) | d.update(a=1) | d.pop("a") | d.setdefault("x", 1) | list.pop() | [1, 2].index(2) | [1, 2].count(1) | [1].index(5)
"abc".isdigit() | "12".isdigit() | "ab".isalpha() | "a1".isalnum() | " ".isspace() | "AB".isupper() | "ab".islower() | "x".join(["a", "b"]) | ",".join(list) | "a-b".partition("-") | "a-b-c".rpartition("-") | "ab".partition("x") | "7".zfill(3) | "-7".zfill(4) | "ab".center(6) | "ab".center(5, "*") | "abc".center(6, "*") | "ab".ljust(4) ~ "|" | "ab".rjust(4) | "prefix-x".removeprefix("prefix-") | "x.py".removesuffix(".py") | "hello world's x1y".title() | "hELLO wORLD".capitalize() | "aB".swapcase() | "abc".index("c") | "abc".index("z") | s.nope | s.nope() | s["upper"]() | "ß".lower()
(1, 2)[0] | (1,) | () | [1, [2, 3]][1][0] | {"a": {"b": [1, 2]}}.a.b[1] | {"a": 1, "a": 2} | {1: "x"}[1] | {1: "x"}[1.0] | {1: "x"}[true] | {(1, 2): "t"}[(1, 2)] | {"a": 1}.a | {[1]: 2} | list.0 | list.5 | rows[0].name | rows[0]["name"] | rows.0.name | d.a.1 | "a".b.c | s.upper().lower()[0] | (s | upper)[0] | s | upper[0] | "x" ~ (1, 2) | [1, 2,] | {"a": 1,} | (1, 2,) | [,] | {"a"} | 1 + | (1 | foo bar | 1 2 | a.b.(c) | "unterminated | 'it\\'s' | "\\x41\\u0042\\U00000043\\103" | "\\q" | "a\\
b"
s | nope | s is nope | nope() | s() | n() | none() | list() | undef() | undef[0] | -undef | undef < 1 | undef * 2 | [] + undef | not undef.x | s | join("-") | d | join(",") | 5 | join | s | list | n | list | d.items() | length | rows | map(attribute="name") | length | (rows | map(attribute="name"))[0] | d.keys()[0] | d | first | -(3) | +n | - -n | -yes | -s | +s | 1 if 1 else 2 if 2 | 3 - -2 | 3--2 | 2**3**2 | -2**2 | 1 - 2 - 3 | 2 * 3 % 4 | 1 ~ 2 + 3 | 1 + 2 ~ 3 | "a" ~ 1 * 2 | 1 < 2 == true | not 1 == 2 | 5 // 2 * 2 | "%s" % none
zh | upper | zh | reverse | zh | trim | zh | title | zh | center(12) ~ "|" | zh | indent | zh.split() | zh.splitlines() | zh | list | "İ" | length | "ǆ" | upper | "\\u3000x\\u2003" | trim | "a\\u00a0b".split() | "x\\u2028y".splitlines() | "é" | upper | "ÿ" | upper | "σς" | upper | "Привет мир" | title | "привет" | capitalize | "ΑΒΓ" | lower | "日本 go" | title
rows | groupby("on") | length | rows | map(attribute="name") | map("upper") | join(" ") | rows | selectattr("age", "in", [1, 2]) | map(attribute="age") | sort | join | rows | map(attribute="name.0") | list | [[1, "a"], [2, "b"]] | map(attribute=1) | list | [3, 1] | sort | first | {"x": 1} | items | first | {"x": 1}.items() | first | words | map("length") | sum | words | map("nope") | list | words | select("nope") | list | 1000 | filesizeformat | 1500000 | filesizeformat | 1024 | filesizeformat(true) | d | attr("b") | s | attr("upper")
"a" "b" ~ "c" | loop | loop.index | varargs | caller | True | False | None | TRUE | and | in | is | if | not | or | 1 in [1] in [[1]] | 1 not in [2] and 2 not in [1] | (1 not in [1]) | not 1 in [2] | none is not defined | undef is not defined | 1 is not odd | x is y is z | (1 is odd) is true
"""

STATEMENTS = r"""
{% for x in list %}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}
{% for x in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }};{% endfor %}
{% for x in list %}{{ loop.previtem }}-{{ loop.nextitem }};{% endfor %}
{% for x in list %}{{ loop.cycle("a", "b") }}{% endfor %}
{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{% endfor %}
{% for x in none_list %}x{% else %}empty{% endfor %}
{% for x in list %}x{% else %}empty{% endfor %}
{% for x in undef %}x{% else %}empty{% endfor %}
{% for x in n %}x{% endfor %}
{% for x in nil %}x{% endfor %}
{% for x in list if x > 1 %}{{ loop.index }}:{{ x }} {% endfor %}
{% for x in list if x > 9 %}x{% else %}none{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}
{% for k in d %}{{ k }}{% endfor %}
{% for k, v in d | items %}{{ k }};{% endfor %}
{% for a, b in [[1, 2], [3, 4]] %}{{ a + b }}{% endfor %}
{% for a, (b, c) in [[1, [2, 3]]] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [[1, 2, 3]] %}x{% endfor %}
{% for c in zh %}{{ c }}.{% endfor %}
{% for x in list %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}
{% for x in list %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in list %}{% for y in list %}{% if y == 1 %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}{% endfor %}
{% for x in [1, 2] %}{% for y in [1, 2] %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}
{% for x in [[1, [2]], [3]] recursive %}{% if x is iterable %}[{{ loop(x) }}]{% else %}{{ x }}@{{ loop.depth }}{% endif %}{% endfor %}
{% break %}
{% set x = 1 %}{{ x }}{% set x = x + 1 %}{{ x }}
{% set x = 1 %}{% for i in list %}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}
{% set x = 1 %}{% if yes %}{% set x = 2 %}{% endif %}{{ x }}
{% for i in [1] %}{% set inner = 1 %}{% endfor %}{{ inner is defined }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set a = 1, 2 %}{{ a }}
{% set ns = namespace(x=0) %}{% for i in list %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}
{% set ns = namespace() %}{% set ns.y = "q" %}{{ ns.y }}{{ ns.z }}{{ ns["y"] }}
{% set d.b = 2 %}
{% set q = d %}{% set q.b = 2 %}
{% set x %}a{{ n }}b{% endset %}{{ x }}{{ x | length }}
{% set x | upper | trim %} abc {% endset %}[{{ x }}]
{% set x %}{% set y = 1 %}{% endset %}{{ y is defined }}
{% macro f(a, b=2, c="x") %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }}|{{ f(1, 3) }}|{{ f(1, c="z") }}|{{ f() }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(b=2) }}
{% macro f(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, 3, k=4) }}
{% macro f(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}
{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}
{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}
{% macro f() %}{{ later }}{% endmacro %}{% set later = 5 %}{{ f() }}
{% macro f() %}{% set n = 1 %}{{ n }}{% endmacro %}{{ f() }}{{ n }}
{% macro f() %} x {% endmacro %}[{{ f() | trim }}][{{ f() ~ "y" }}]
{% macro f(x) %}{% for i in x %}{{ i }}{% endfor %}{% endmacro %}{{ f(list) }}{{ f("ab") }}
{% macro f() %}[{{ caller() }}]{% endmacro %}{% call f() %}body{{ n }}{% endcall %}
{% macro f() %}[{{ caller(1, 2) }}]{% endmacro %}{% call(a, b) f() %}{{ a + b }}{% endcall %}
{% for i in [1, 2] %}{% macro g() %}{{ i }}{% endmacro %}{{ g() }}{% endfor %}
{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}
{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q is defined }}
{% with a = n, n = 1 %}{{ a }}{{ n }}{% endwith %}{{ n }}
{% filter upper %}abc{{ s }}{% endfilter %}
{% filter replace("a", "b") | upper %}aaa{% endfilter %}
{% generation %}gen{% set g = 1 %}{% endgeneration %}{{ g is defined }}
{% if no %}a{% elif yes %}b{% else %}c{% endif %}{% if no %}{% elif no %}{% else %}e{% endif %}
{% if n > 5 and s %}y{% endif %}{% if undef %}{% else %}n{% endif %}{% if not undef is defined %}u{% endif %}
{%- if yes -%}   a   {%- endif -%}   b
a   {%- if yes %} b {% endif -%}   c
a {#- c -#} b{# x #}
a {{- "b" -}} c
{# multi
line #}x
{#- -#}x {#+ y +#} z
  {% if yes %}
  x
  {% endif %}
  y
a
  {%+ if yes %}x{% endif +%}
b
	{% set x = 1 %}	
{{ x }}
{% if yes %}  {% if yes %}
 a {% endif %}{% endif %}
{{ "a" }}
{{ "b" }}
{% raw %}{{ x }}{% if %}{% endraw %}|
{%- raw -%}  {{ x }}  {%- endraw -%}  |
  {% raw %}
  a
  {% endraw %}
b
{{ "{{" }}{{ '{%' }}{{ "}}" }}
{ { % } } {x} {{{"a":1}}}
{{ {"a": {"b": 1}}["a"]["b"] }}
{% print 1 %}
{% set x = "a" if yes else "b" %}{{ x }}
{% for x in list | sort %}{{ x }}{% endfor %}{% for x in list if x is odd %}{{ x }}{% endfor %}
{% for x in range(3) %}{{ x }}{% endfor %}{% for x in (1, 2) %}{{ x }}{% endfor %}{% for x in 1, 2 %}{{ x }}{% endfor %}
{% if %}{% endif %}
{% for %}{% endfor %}
{% endif %}
{% if yes %}
{% for x in list %}{% endif %}
{% nope %}
{{ }}
{{ x
{% if yes
{# never closed
{% raw %}
{% set 1 = 2 %}
{% set true = 2 %}
{% for true in list %}{% endfor %}
{{ 1 }}{{ (1 }}
{{ 1 ] }}
{{ @ }}
{{ $x }}
{{ a b }}
{% macro %}{% endmacro %}
{% macro f(a=1, b) %}{% endmacro %}
{{ f(a=1, 2) }}
{{ dict(**{"a": 1}) }}{{ [1] | join(*["-"]) }}
{% set f = s.upper %}{{ f() }}
{% set x = [] %}{% set _ = x.append(1) %}{{ x }}
{% do x %}
{% include "x" %}
{% extends "x" %}
{% for x in list %}{{ loop }}{% endfor %}
{% set loop = 5 %}{{ loop }}
{{ "x" }}{% if yes %}

{% endif %}

end
"""

RANDOM_ATOMS = ["s", "t", "zh", "n", "m", "f", "z", "yes", "no", "nil", "list", "words", "mixed", "d", "rows", "undef", "1", "-2", "0.5",
                "'ab'", "''", "[1, 'a']", "{'k': 1}", "(1, 2)", "none", "true", "list[0]", "s[1:]", "d.b", "rows[0].name"]
RANDOM_SLICED = ["s", "t", "zh", "emoji", "list", "words", "mixed", "rows", "n", "nil", "d", "undef", "d.a"]
RANDOM_FILTERS = ["upper", "lower", "title", "trim", "length", "string", "tojson", "list", "first", "last", "join(',')", "default('?')", "int",
                  "float", "abs", "sort", "unique | list", "reverse | list", "replace('a', 'Z')", "map('string') | list", "select | list", "sum",
                  "min", "max", "capitalize", "indent(2)", "round", "items | list", "batch(2) | list", "e", "wordcount"]
RANDOM_TESTS = ["defined", "none", "string", "mapping", "sequence", "iterable", "number", "odd", "eq(1)", "in([1, 2])", "true", "integer"]
RANDOM_OPERATORS = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", ">=", "and", "or", "in", "not in"]


def random_expression(rng, depth):
    if depth == 0:
        return rng.choice(RANDOM_ATOMS)
    inner = lambda: random_expression(rng, depth - rng.randint(1, depth))
    kind = rng.randrange(8)
    if kind < 3:
        return f"({inner()}) {rng.choice(RANDOM_OPERATORS)} ({inner()})"
    if kind < 5:
        return f"({inner()}) | {rng.choice(RANDOM_FILTERS)}"
    if kind == 5:
        return f"({inner()}) is {rng.choice(['', 'not '])}{rng.choice(RANDOM_TESTS)}"
    if kind == 6:
        return f"{inner()} if {inner()} else {inner()}"
    if rng.random() < 0.5:
        return f"({inner()})[{rng.choice(['0', '-1', repr('b'), '9'])}]"
    # Of a constant that has no slices Jinja's optimizer makes undefined, of a variable an error: variables only.
    return f"{rng.choice(RANDOM_SLICED)}[{rng.choice(['1:', ':2', '::-1', '-2:', ':-1', '5:1:-2'])}]"


def split_statements(text):
    """One case a line; lines that open no case of their own belong to a few multi-line cases at known places."""
    multi = ["{# multi\nline #}x", "  {% if yes %}\n  x\n  {% endif %}\n  y", "a\n  {%+ if yes %}x{% endif +%}\nb",
             "\t{% set x = 1 %}\t\n{{ x }}", "{% if yes %}  {% if yes %}\n a {% endif %}{% endif %}", '{{ "a" }}\n{{ "b" }}',
             "  {% raw %}\n  a\n  {% endraw %}\nb", '{{ "x" }}{% if yes %}\n\n{% endif %}\n\nend']
    for case in multi:
        assert case in text, case
        text = text.replace("\n" + case + "\n", "\n", 1)
    return [line for line in text.split("\n") if line] + multi


def cases(seed, count):
    for line in EXPRESSIONS.strip().replace("\\\n", "\0").split("\n"):
        pieces, rest = [], line.replace("\0", "\\\n").split(" | ")
        # A piece that begins with the name of a filter belongs to the expression before it.
        names = set(environment().filters) | {"nope", "upper[0]"}
        for piece in rest:
            head = piece.split("(")[0].split(" ")[0]
            if pieces and head in names and not (head in VARIABLES and head != "list"):
                pieces[-1] += " | " + piece
            else:
                pieces.append(piece)
        for piece in pieces:
            yield "{{ " + piece.replace("\\\\", "\\") + " }}"
    yield from split_statements(STATEMENTS)
    rng = random.Random(seed)
    for _ in range(count):
        yield "{{ " + random_expression(rng, rng.randint(1, 4)) + " }}"


def render(env, template):
    try:
        return env.from_string(template).render(**copy.deepcopy(VARIABLES))
    except Exception:
        return None


def main():
    out = sys.argv[1]
    seed, count = (int(sys.argv[2]) if len(sys.argv) > 2 else 1), (int(sys.argv[3]) if len(sys.argv) > 3 else 300)
    env = environment()
    rows = []
    for template in cases(seed, count):
        text = render(env, template)
        # Addresses of objects and the sizes of Python's own limits are nobody's business.
        if text is not None and (" at 0x" in text or len(text) > 2000):
            continue
        rows.append([template, text])
    compact = {"ensure_ascii": False, "separators": (",", ":")}
    table = ",\n".join(json.dumps(row, **compact) for row in rows)
    with open(out, "w", encoding="utf-8") as file:
        file.write(f'{{"variables":{json.dumps(VARIABLES, **compact)},\n"cases":[\n{table}\n]}}\n')
    print(len(rows), "cases,", sum(text is None for _, text in rows), "errors")


if __name__ == "__main__":
    main()
