#!/usr/bin/env python3
"""The tidy check itself: each kind of untidiness, planted, is found."""
import pathlib
import tempfile
import unittest

import tidy

TABLE = ("feilun_folder(base LINK fmt::fmt)\nfeilun_folder(net USES base LINK x)\n"
         "feilun_folder(ledger USES base)\n")


def tree(files):
    root = pathlib.Path(tempfile.mkdtemp())
    for name, text in {"CMakeLists.txt": TABLE, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def function(lines):
    return "int f(int a) {\n" + "  a += 1;\n" * (lines - 2) + "}\n"


class Tidy(unittest.TestCase):
    def found(self, files):
        return list(tidy.problems(tree(files)))

    def test_a_tidy_tree_has_no_problems(self):
        self.assertEqual(self.found({"src/net/server.cc": '#include "base/result.h"\n' + function(100)}), [])

    def test_a_forbidden_include_is_found(self):
        self.assertIn("base may not include net", self.found({"src/base/x.h": '#include "net/server.h"\n'})[0])

    def test_an_auditor_that_asks_the_ledger_is_found(self):
        asks = '#include "base/json.h"\n#include "ledger/verify_fields.h"\n#include "ledger/%s.h"\n'
        for name in ("verify.cc", "verify_replay.h", "audit_sqlite.cc"):
            for header in ("fields", "books", "audit_log", "verify_story"):
                found = self.found({f"src/ledger/{name}": asks % header})
                self.assertIn(f"the auditor may not include ledger/{header}.h", "".join(found))
            self.assertEqual(self.found({f"src/ledger/{name}": asks % "audit_source"}), [])
        for name in ("audit_log.cc", "verify_story.h", "verify_replay_test.cc"):
            self.assertEqual(self.found({f"src/ledger/{name}": asks % "books"}), [])

    def test_an_unknown_folder_is_found(self):
        self.assertIn("not in CMakeLists.txt", self.found({"src/misc/x.h": ""})[0])

    def test_a_long_file_is_found(self):
        self.assertIn("801 lines", self.found({"src/base/x.cc": "\n" * 801})[0])

    def test_a_long_function_is_found(self):
        self.assertIn("101 lines", self.found({"src/base/x.cc": function(101)})[0])
        indented = "".join("  " + line + "\n" for line in function(101).splitlines())
        self.assertIn("101 lines", self.found({"src/base/x.cc": "struct S {\n" + indented + "};\n"})[0])

    def test_a_long_signature_does_not_hide_or_stretch_a_function(self):
        long = function(101).replace("int f(int a) {", "S::S(int a,\n     int b)\n    : a_(a),\n      b_(b) {")
        self.assertEqual(len(self.found({"src/base/x.cc": long})), 1)
        short = function(60).replace("int f(int a) {", "S::S(int a)\n    : a_(a) {")
        self.assertEqual(self.found({"src/base/x.cc": short + "\n" + short}), [])

    def test_a_vague_name_is_found(self):
        self.assertIn("name it after", self.found({"src/base/string_utils.h": ""})[0])


if __name__ == "__main__":
    unittest.main()
