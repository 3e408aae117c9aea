"""What a script's unset variable gives to an option is refused by every command, not taken for "not given"."""
import concurrent.futures
import re
import subprocess
import tempfile
import unittest

from feilun_server import BINARY, run_tests

# Behind the name of a flag come two spaces, or what CLI11 says of it.
TAKES_A_VALUE = re.compile(r"^  (?:-\w,)?(--[\w-]+) (?! |Excludes|Needs|REQUIRED|\(Env)", re.MULTILINE)
SUBCOMMAND = re.compile(r"^  ([a-z][\w-]*) ", re.MULTILINE)


def feilun(*line):
    with tempfile.TemporaryDirectory() as nowhere:
        return subprocess.run([BINARY, *line], capture_output=True, text=True, timeout=60, cwd=nowhere,
                              stdin=subprocess.DEVNULL)


def commands(path=()):
    """Each command that is no group, with its help."""
    text = feilun(*path, "--help").stdout
    _, _, listed = text.partition("\nSubcommands:\n")
    for name in SUBCOMMAND.findall(listed):
        yield from commands((*path, name))
    if not listed:
        yield path, text


class EmptyValuesTest(unittest.TestCase):
    def test_no_option_takes_an_empty_value(self):
        asked = [(path, option) for path, text in commands() for option in TAKES_A_VALUE.findall(text)]
        self.assertGreater(len({path for path, _ in asked}), 60)
        self.assertGreater(len(asked), 250)
        lines = [(option, (*path, *rest)) for path, option in asked for rest in ((option, ""), (f"{option}=", "next"))]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for (option, line), done in zip(lines, pool.map(lambda each: feilun(*each[1]), lines)):
                with self.subTest(line=line):
                    self.assertEqual(done.returncode, 2)
                    self.assertTrue(done.stderr.startswith(f"{option}: "), done.stderr)

    def test_nor_does_what_stands_for_itself(self):
        for line in (("organisation", "create", ""), ("wallet", "credit", "--project", "")):
            self.assertIn("is empty", feilun(*line).stderr)


if __name__ == "__main__":
    run_tests()
