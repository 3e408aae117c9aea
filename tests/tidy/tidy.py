#!/usr/bin/env python3
"""Tidiness as a test: who includes whom, and how long things are.

The include table is the one of CMakeLists.txt (feilun_folder(NAME USES …)). A quoted include of a folder
that is not in the including folder's list fails; so do files past 800 lines and functions past 100. The
ledger's auditor includes its own headers and those that docs/decisions/008 names.
"""
import argparse
import pathlib
import re
import sys

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 100
SOURCE_SUFFIXES = {".cc", ".h", ".py", ".ts", ".js", ".mjs", ".html", ".css", ".sh"}
CODE_FOLDERS = ("src", "tests", "bench", "fuzz", "tools", "console", "cmake")
FORBIDDEN_NAMES = re.compile(r"\b(utils?|helpers?|common|manager)\b", re.IGNORECASE)

FOLDER = re.compile(r"^feilun_folder\((?P<name>\w+)(?P<rest>[^)]*)\)", re.MULTILINE)
# The auditor is a second opinion: what it shares with the ledger that it judges is listed here, and said in
# docs/decisions/008-the-auditor-replays-every-rule.md and docs/how-to/prove-the-ledger.md.
AUDITOR = re.compile(r"(verify|audit)(_(?!log\b|story\b)\w+)?\.(h|cc)")
AUDITORS_OWN = re.compile(r"ledger/(verify|audit)(_(?!log\b|story\b)\w+)?\.h")
AUDITOR_SHARES = {
    "base/check.h", "base/result.h", "base/read_file.h",
    "base/json.h", "base/money.h", "base/civil_time.h",   # JSON, the type of an amount, the calendar
    "ledger/bytes.h",                                     # the hash; how a number lies in bytes
    "ledger/sqlite_schema.h", "ledger/postgres_schema.h",  # the definitions of the tables
    "ledger/serving_lock.h",                              # no server beside a repair
}
AUDITOR_EXCEPTION = ("audit_export.cc", "ledger/audit_log.h")  # what an export leaves out is what the log does
QUOTED = re.compile(r'^\s*#\s*include\s+"(?P<header>[^"]+)"', re.MULTILINE)
INCLUDE = re.compile(r'^\s*#\s*include\s+"(?P<folder>\w+)/', re.MULTILINE)
# clang-format puts the closing brace of a function under its first line, which is no deeper than the line
# that ends in the opening brace (a long signature or a constructor's initialisers come between).
FUNCTION_START = re.compile(r"^(?P<indent>\s*)(?!namespace|struct|class|enum|union|extern)[^\s#/*}].*\)[^;]*\{$")


def include_table(cmake_text):
    """{folder: folders it may include}, itself included."""
    table = {}
    for match in FOLDER.finditer(cmake_text):
        uses = re.search(r"\bUSES\s+((?:[a-z_]+\s*)+)", match["rest"])
        table[match["name"]] = {match["name"], *(uses[1].split() if uses else [])}
    return table


def forbidden_includes(root, table):
    for path in sorted((root / "src").rglob("*")):
        if path.suffix not in (".cc", ".h"):
            continue
        folder = path.relative_to(root / "src").parts[0]
        allowed = table.get(folder)
        if folder == "apps":
            allowed = {"apps", *table}
        if allowed is None:
            yield f"{path}: the folder '{folder}' is not in CMakeLists.txt"
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if match and match["folder"] not in allowed:
                yield f"{path}:{number}: {folder} may not include {match['folder']}"


def auditor_sharing(root):
    for path in sorted((root / "src" / "ledger").glob("*")):
        if not AUDITOR.fullmatch(path.name) or path.name.endswith("_test.cc"):
            continue
        for match in QUOTED.finditer(path.read_text()):
            header = match["header"]
            if header in AUDITOR_SHARES or (path.name, header) == AUDITOR_EXCEPTION:
                continue
            if not AUDITORS_OWN.fullmatch(header):
                yield f"{path}: the auditor may not include {header}"


def indentation(line):
    return len(line) - len(line.lstrip())


def function_lengths(text):
    """(first line number, length) of every function, by clang-format's indentation."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        match = FUNCTION_START.match(lines[number])
        if match:
            deepest = len(match["indent"])
            end = next((i for i in range(number + 1, len(lines))
                        if lines[i].lstrip().startswith("}") and indentation(lines[i]) <= deepest), number)
            yield number + 1, end - number + 1
            if end > number:
                number = end
        number += 1


def overlong(root):
    for folder in CODE_FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SOURCE_SUFFIXES or "node_modules" in path.parts or ".venv" in path.parts:
                continue
            text = path.read_text(errors="replace")
            lines = text.count("\n")
            if lines > FILE_LINES_MAX:
                yield f"{path}: {lines} lines (at most {FILE_LINES_MAX})"
            if path.suffix in (".cc", ".h"):
                for line, length in function_lengths(text):
                    if length > FUNCTION_LINES_MAX:
                        yield f"{path}:{line}: a function of {length} lines (at most {FUNCTION_LINES_MAX})"


def vague_names(root):
    for path in sorted((root / "src").rglob("*")):
        if FORBIDDEN_NAMES.search(path.stem.replace("_", " ")):
            yield f"{path}: name it after what the things share"


def problems(root):
    table = include_table((root / "CMakeLists.txt").read_text())
    if not table:
        yield "CMakeLists.txt: no feilun_folder(…) lines found"
    yield from forbidden_includes(root, table)
    yield from auditor_sharing(root)
    yield from overlong(root)
    yield from vague_names(root)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", default=pathlib.Path(__file__).parents[2], type=pathlib.Path)
    found = list(problems(parser.parse_args().root))
    print("\n".join(found) or "tidy")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
