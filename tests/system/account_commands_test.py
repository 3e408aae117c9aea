"""The commands for customers, their people and keys, and what they owe, on a ledger that no server has open."""
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from feilun_server import BINARY, run_tests
from invoice_checks import months


class AccountCommandsTest(unittest.TestCase):
    def setUp(self):
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="feilun-test-"))
        self.addCleanup(shutil.rmtree, self.data)
        self.acme = self.feilun("organisation", "create", "acme").splitlines()[0]
        self.web = self.feilun("project", "create", "web", "--organisation", "acme")

    def feilun(self, *arguments, status=0):
        """What it said: the result, or of a failure why."""
        done = subprocess.run([BINARY, *map(str, arguments), "--data", self.data], capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, status, f"feilun {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
        return (done.stderr if status else done.stdout).strip()

    def rows(self, *arguments):
        """A list without its line of names, in words."""
        return [line.split() for line in self.feilun(*arguments).splitlines()[1:]]

    def test_an_invoice_is_issued_paid_and_taken_back(self):
        last, this = months()
        self.feilun("invoice", "billing", "--seller", "--name", "Feilun Cloud", "--tax", "VAT=6", "--due-days", 14)
        shown = self.feilun("invoice", "billing", "--owner", "acme", "--name", "ACME Ltd.", "--address", "1 Road",
                            "--tax-number", "A1")
        self.assertIn("ACME Ltd.", shown)
        self.assertIn("taxes       (the seller's)", self.feilun("invoice", "billing", "--owner", "acme"))
        self.assertIn("name one owner", self.feilun("invoice", "billing", status=2))
        self.feilun("commitment", "set", "acme", "--amount", 100, "--from", last, "--until", this)
        self.assertIn('"106.00"', self.feilun("invoice", "preview", "--owner", "acme", "--month", last))

        number = self.feilun("invoice", "run", "--month", last).split()[0]
        self.assertEqual(number, f"{last}-0001")
        self.assertEqual(self.feilun("invoice", "run", "--month", last), "")
        self.assertIn("csv and html", self.feilun("invoice", "show", number, "--format", "pdf", status=2))
        self.assertIn("true_up", self.feilun("invoice", "show", number, "--format", "csv"))
        self.assertEqual(self.rows("invoice", "list", "--state", "open")[0][:5],
                         [number, "acme", "CNY", "106.00", "106.00"])

        pay = ("invoice", "pay", number, "--reference", "bank 1", "--amount")
        for _ in range(2):
            self.assertEqual(self.feilun(*pay, 40), f"40.00 CNY paid on {number}, which is partly_paid; 66.00 open")
        self.assertIn("bank 1", self.feilun(*pay, 41, status=1))
        note = self.feilun("invoice", "credit", number, "--reason", "late", "--line", "0=10")
        self.assertEqual(note, f"{number}-C1 takes back 10.60 CNY of {number}")
        self.assertIn("a line's place", self.feilun("invoice", "credit", number, "--reason", "x", "--line", "a",
                                                    status=2))
        payments = self.feilun("invoice", "payments", number).splitlines()
        self.assertIn("bank 1", payments[1])
        self.assertIn("credit note: late", payments[2])
        self.assertEqual(payments[3], "55.40 CNY of 106.00 open, which is partly_paid")
        self.assertIn("there is no invoice", self.feilun("invoice", "payments", "2020-01-0001", status=1))
        self.assertEqual(self.rows("invoice", "ageing", "--on", "2999-01-01"),
                         [["acme", "CNY", "0.00", "0.00", "0.00", "0.00", "55.40", "55.40"]])
        # What is open is what the wallet lacks.
        self.assertIn("-55.40", next(row for row in self.rows("organisation", "list") if row[1] == "acme"))
        self.feilun("wallet", "credit", "--project", "acme", "--amount", 60)
        self.assertIn("which is paid", self.feilun("invoice", "pay", number, "--reference", "w", "--from-wallet"))
        self.assertEqual(self.rows("invoice", "list", "--state", "open"), [])
        self.feilun("ledger", "verify")

    def test_people_are_invited_join_change_and_leave(self):
        token = self.feilun("invite", "create", "ann@example.com", "--organisation", "acme", "--role", "admin",
                            "--project", "acme/web")
        self.assertEqual(self.rows("invite", "list", "--organisation", "acme")[0][1:4],
                         ["ann@example.com", "admin", "pending"])
        member = self.feilun("invite", "accept", token, "--name", "Ann")
        self.assertIn("accepted before", self.feilun("invite", "accept", token, status=1))
        other = self.feilun("invite", "create", "bob@example.com", "--organisation", "acme")
        invite = next(row[0] for row in self.rows("invite", "list", "--organisation", "acme") if "bob" in row[1])
        self.assertEqual(self.feilun("invite", "revoke", invite), f"revoked {invite}")
        self.assertIn("not valid", self.feilun("invite", "accept", other, status=1))

        self.assertEqual(self.rows("project", "member", "list", "acme/web")[0][:3],
                         [member, "ann@example.com", "member"])
        self.assertEqual(self.feilun("project", "member", "add", "acme/web", "ann@example.com", "--role", "owner"),
                         "ann@example.com is owner of acme/web")
        self.assertEqual(self.rows("project", "member", "list", "acme/web")[0][2], "owner")
        self.assertIn("there is no member", self.feilun("project", "member", "add", "acme/web", "eve@example.com",
                                                        status=1))
        key = self.key_id(self.feilun("key", "create", "--project", "acme/web", "--member", "ann@example.com"))
        self.assertIn("no member of acme/web",
                      self.feilun("project", "member", "remove", "acme/web", "ann@example.com"))
        self.assertEqual(self.rows("project", "member", "list", "acme/web"), [])
        self.assertIn("(revoked", self.line_of_key(key))

        self.feilun("member", "add", "olga@example.com", "--organisation", "acme", "--role", "owner")
        change = ("member", "change", "ann@example.com", "--organisation", "acme", "--role")
        self.assertEqual(self.feilun(*change, "auditor"), "ann@example.com has the role auditor")
        self.assertIn("'king'", self.feilun(*change, "king", status=2))
        self.assertIn("removed", self.feilun("member", "remove", member, "--organisation", "acme"))
        self.assertEqual([row[1:3] for row in self.rows("member", "list", "--organisation", "acme")],
                         [["olga@example.com", "owner"]])
        self.assertIn("last owner", self.feilun("member", "remove", "olga@example.com", "--organisation", "acme",
                                                status=1))

    def key_id(self, secret):
        """Of the key that was made last."""
        return [row[0] for row in self.rows("key", "list", "--project", "acme/web") if row[1].endswith(secret[-2:])][-1]

    def line_of_key(self, key):
        return next(line for line in self.feilun("key", "list", "--project", "acme/web").splitlines() if key in line)

    def test_keys_change_and_their_secrets_do_not(self):
        secret = self.feilun("key", "create", "--project", "acme/web", "--name", "old", "--endpoint", "/v1/models")
        key = self.key_id(secret)
        changed = self.feilun("key", "change", key, "--name", "new", "--expires", "2099-01-01", "--model", "feilun-*",
                              "--model", "other", "--ip", "192.0.2.0/24")
        self.assertEqual(changed.splitlines()[1:], ["models      feilun-*, other", "endpoints   /v1/models",
                                                    "addresses   192.0.2.0/24"])
        self.assertIn("new (until 2099-01-01 00:00:00 UTC)", self.line_of_key(key))
        self.assertIn("everything", self.feilun("key", "change", key, "--for-everything", "--expires", "never"))
        self.assertTrue(self.line_of_key(key).endswith(" new"))
        self.assertIn(secret[-2:], self.line_of_key(key))
        self.assertIn("say what to change", self.feilun("key", "change", key, status=2))
        self.feilun("key", "change", key, "--for-everything", "--model", "x", status=2)
        self.assertIn("there is no key", self.feilun("key", "change", "key_none", "--name", "x", status=1))

        rotated = self.feilun("key", "rotate", key, "--overlap", 5)
        self.assertNotEqual(rotated, secret)
        self.assertIn(rotated[-2:], self.line_of_key(key))
        self.feilun("key", "revoke", key)
        self.assertIn("revoked", self.feilun("key", "change", key, "--name", "x", status=1))

    def test_a_service_account_has_keys_and_another_name(self):
        first = self.feilun("service-account", "create", "--project", "acme/web", "ci")
        account = self.rows("service-account", "list", "--project", "acme/web")[0][0]
        second = self.feilun("key", "create", "--service-account", account, "--name", "second")
        self.assertEqual({row[-1] for row in self.rows("key", "list", "--project", "acme/web")}, {"ci", "second"})
        self.assertNotEqual(first, second)
        self.assertEqual(self.feilun("service-account", "rename", account, "deploy"), f"{account} is deploy")
        self.assertEqual(self.rows("service-account", "list", "--project", "acme/web")[0][-1], "deploy")
        self.assertIn(account, self.feilun("service-account", "remove", account))
        lines = self.feilun("key", "list", "--project", "acme/web").splitlines()[1:]
        self.assertTrue(all("(revoked" in line for line in lines), lines)
        self.assertIn("there is no service account", self.feilun("key", "create", "--service-account", account,
                                                                 status=1))

    def test_names_and_zones_change(self):
        changed = self.feilun("organisation", "change", "acme", "--name", "apex", "--time-zone", "Asia/Shanghai")
        self.assertEqual(changed, f"{self.acme} is apex, in Asia/Shanghai")
        self.assertEqual(self.feilun("project", "rename", "apex/web", "site"), f"{self.web} is site")
        self.assertIn("there is no project", self.feilun("project", "rename", "apex/web", "site", status=1))
        self.feilun("organisation", "change", "apex", "--time-zone", "Mars/Base", status=2)
        self.feilun("organisation", "change", "apex", "--name", "", status=2)
        self.feilun("organisation", "change", "apex", status=2)
        self.feilun("wallet", "credit", "--project", "apex", "--amount", "12.5")
        row = next(row for row in self.rows("organisation", "list") if row[0] == self.acme)
        self.assertEqual(row[1:6], ["apex", "CNY", "Asia/Shanghai", "12.50", "0.00"])
        self.feilun("ledger", "verify")

    def test_every_command_teaches_how_it_is_used(self):
        for command in re.split(r",\s+", "invoice run, invoice preview, invoice list, invoice show, invoice pay, "
                                "invoice credit, invoice payments, invoice ageing, invoice billing, invite create, "
                                "invite list, invite accept, invite revoke, member add, member change, member list, "
                                "member remove, project member, project member add, project member list, "
                                "project member remove, service-account create, service-account list, "
                                "service-account rename, service-account remove, key change, key rotate, "
                                "organisation change, organisation list, project rename, usage, costs"):
            done = subprocess.run([BINARY, *command.split(), "--help"], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, command)
            self.assertGreater(len(done.stdout), 100, command)


if __name__ == "__main__":
    run_tests()
