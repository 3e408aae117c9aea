"""What the exit status of a system test tells CTest: that it passed, failed, or did not run."""
import pathlib
import subprocess
import sys
import textwrap
import unittest

from feilun_server import SKIPPED, run_tests

HERE = pathlib.Path(__file__).parent


class RunTests(unittest.TestCase):
    def status_of(self, *lines, arguments=()):
        """Of a program with a test class of these lines."""
        program = "import unittest\nfrom feilun_server import run_tests\n\n\nclass Tests(unittest.TestCase):\n"
        program += textwrap.indent("\n".join(lines), "    ") + "\n\n\nrun_tests()\n"
        return subprocess.run([sys.executable, "-c", program, *arguments], cwd=HERE, capture_output=True,
                              timeout=60).returncode

    def test_what_runs_passes_or_fails(self):
        passes, fails = "def test_a(self): pass", "def test_b(self): self.fail()"
        self.assertEqual(self.status_of(passes), 0)
        self.assertEqual(self.status_of(passes, fails), 1)
        self.assertEqual(self.status_of(passes, arguments=["Tests.test_a"]), 0)

    def test_what_cannot_be_set_up_fails(self):
        test = "def test_a(self): pass"
        for where in ("@classmethod\ndef setUpClass(cls)", "def setUp(self)"):
            self.assertEqual(self.status_of(where + ": raise RuntimeError", test), 1, where)

    def test_what_is_skipped_as_a_whole_did_not_run(self):
        passes, skips = "def test_a(self): pass", "def test_b(self): self.skipTest('absent')"
        self.assertEqual(self.status_of(skips), SKIPPED)
        self.assertEqual(self.status_of("@classmethod\ndef setUpClass(cls): raise unittest.SkipTest('x')", passes),
                         SKIPPED)
        self.assertEqual(self.status_of(skips, passes), 0)
        self.assertEqual(self.status_of(skips, "def test_c(self): self.fail()"), 1)

    def test_to_have_no_test_fails(self):
        self.assertEqual(self.status_of("pass"), 1)


if __name__ == "__main__":
    run_tests()
