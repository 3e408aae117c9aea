"""Small sums: adding and subtracting numbers up to 20, and honest refusals beyond that."""

import random

ASK_EN = ["what is {a} {op} {b}", "{a} {op} {b}", "{a} {op} {b} =", "how much is {a} {op} {b}", "calculate {a} {op} {b}", "compute {a} {op} {b}", "{a}{op}{b}", "what does {a} {op} {b} make", "solve {a} {op} {b}"]
ASK_ZH = ["{a} {op} {b} 等于多少", "{a}{op}{b}等于几", "{a}{op}{b}", "{a} {op} {b} =", "计算 {a} {op} {b}", "{a}{op}{b}是多少", "算一下{a}{op}{b}", "{a} {op} {b} 得多少"]
SIGN_EN = {"+": ["+", "+", "plus", "and"], "-": ["-", "-", "minus"], "*": ["*", "times", "x", "multiplied by"], "/": ["/", "divided by"]}
SIGN_ZH = {"+": ["+", "+", "加", "加上"], "-": ["-", "-", "减", "减去"], "*": ["*", "乘", "乘以", "×"], "/": ["/", "除以", "÷"]}
REFUSE_EN = "That is too hard for me: I can only add and subtract numbers up to 20."
REFUSE_ZH = "这对我太难了：我只会 20 以内的数的加减法。"


def question(rng: random.Random, lang: str, a: int, op: str, b: int) -> str:
    sign = rng.choice((SIGN_EN if lang == "en" else SIGN_ZH)[op])
    ask = rng.choice(ASK_EN if lang == "en" else ASK_ZH)
    if sign == "and" and not ask.startswith("how much"):
        sign = "plus"
    if sign.isalpha() and sign.isascii():
        ask = ask.replace("{a}{op}{b}", "{a} {op} {b}")
    return ask.format(a=a, op=sign, b=b)


def sum_(rng: random.Random, lang: str) -> tuple[str, str]:
    """A question and its answer."""
    if rng.random() < 0.15:
        op = rng.choice("+-*/")
        top = 20 if op in "*/" else 9999 if rng.random() < 0.3 else 99
        a, b = rng.randint(21 if op in "+-" else 2, top), rng.randint(2, top)
        if rng.random() < 0.3:
            a, b = b, a
        return question(rng, lang, a, op, b), REFUSE_EN if lang == "en" else REFUSE_ZH
    a, b, op = rng.randint(0, 20), rng.randint(0, 20), rng.choice("+-")
    if op == "-" and b > a:
        a, b = b, a
    value = a + b if op == "+" else a - b
    return question(rng, lang, a, op, b), f"{a} {op} {b} = {value}" + ("." if lang == "en" else "。")
