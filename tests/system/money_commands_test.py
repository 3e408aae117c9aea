"""The commands for limits, lots, refunds, webhooks, commitments and credit, beside a running server."""
import re
import subprocess
import unittest

import feilun_server
from feilun_server import FeilunServer
from money_checks import chat


class MoneyCommandsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = FeilunServer().start()
        cls.addClassCleanup(cls.server.__exit__)
        cls.acme = cls.run_command("organisation", "create", "acme")
        cls.run_command("project", "create", "web", "--organisation", "acme")
        cls.key = cls.run_command("key", "create", "--project", "acme/web")

    @classmethod
    def run_command(cls, *arguments):
        return cls.server.run(*arguments)

    def refused(self, *arguments):
        """What a command that fails says, as one sentence."""
        done = subprocess.run([feilun_server.BINARY, *map(str, arguments), "--data", self.server.data],
                              capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertEqual(done.stdout, "")
        return done.stderr

    def test_every_command_teaches_how_it_is_used(self):
        for command in ("limit", "limit set", "limit change", "limit list", "limit end", "lot", "lot grant",
                        "lot list", "refund", "refund make", "refund list", "webhook", "webhook set",
                        "webhook list", "webhook end", "webhook test", "commitment", "commitment set",
                        "commitment list", "commitment end", "organisation credit-limit",
                        "organisation restore", "project restore"):
            done = subprocess.run([feilun_server.BINARY, *command.split(), "--help"], capture_output=True,
                                  text=True, timeout=60)
            self.assertEqual(done.returncode, 0, command)
            self.assertGreater(len(done.stdout), 100, command)

    def test_credit_and_lots_pay(self):
        self.assertIn("may owe up to 0.10 CNY",
                      self.run_command("organisation", "credit-limit", "acme", "0.1"))
        chat(self.server, self.key)
        self.assertIn("0.10", self.run_command("organisation", "list"))
        welcome = ("lot", "grant", "--project", "acme", "--kind", "credit", "--amount", "5", "--expires",
                   "2099-01-01", "--idempotency-key", "welcome")
        granted = self.run_command(*welcome)
        self.assertEqual(granted, self.run_command(*welcome))
        self.run_command("lot", "grant", "--project", "acme", "--kind", "package", "--tokens", 1000,
                         "--paid", "0.01", "--model", "feilun-nano")
        listed = self.run_command("lot", "list", "--project", "acme")
        self.assertIn("5.00 CNY", listed)
        self.assertIn("1000 tokens", listed)
        chat(self.server, self.key)
        package = next(line for line in self.run_command("lot", "list", "--project", "acme").splitlines()
                       if " package " in line)
        granted, left = re.findall(r"(\d+) tokens", package)
        self.assertEqual(granted, "1000")
        self.assertLess(int(left), 1000)
        self.assertIn("--tokens, not --amount",
                      self.refused("lot", "grant", "--kind", "package", "--amount", "5"))
        self.assertIn("is not a lot: write credit", self.refused("lot", "grant", "--kind", "gift", "--amount", 5))

    def test_limits_refuse_and_show_what_is_left(self):
        self.assertIn("say what to limit", self.refused("limit", "set", "--measure", "tokens", "--bound", 5))
        self.assertIn("is no window", self.refused("limit", "set", "--project", "default", "--measure", "tokens",
                                                   "--bound", 5, "--window", "5x"))
        made = self.run_command("limit", "set", "--project", "default", "--measure", "requests", "--window",
                                "5h", "--bound", 1, "--alert", 80)
        limit = made.splitlines()[1].split()[0]
        chat(self.server, self.server.key)
        line = self.run_command("limit", "list", "--project", "default").splitlines()[1].split()
        self.assertEqual(line[:8], [limit, "project", "default", "5h", "1", "1", "0", "requests"])
        self.assertEqual(line[8:10], ["hard", "80%"])
        changed = self.run_command("limit", "change", limit, "--bound", 5, "--soft", "--no-alerts")
        self.assertEqual(changed.splitlines()[1].split()[4:10], ["5", "1", "4", "requests", "soft", "-"])
        self.assertEqual(len(self.run_command("limit", "list", "--organisation", "acme").splitlines()), 1)
        self.run_command("limit", "end", limit)
        self.assertIn("there is no limit", self.refused("limit", "end", limit))

    def test_refunds_give_back_what_was_charged_and_no_more(self):
        request, reply = chat(self.server, self.server.key)
        made = self.run_command("refund", "make", request, "--amount", "0.0000001", "--reason", "late")
        self.assertIn("charged " + reply["feilun"]["charged"], made)
        self.run_command("refund", "make", request)
        self.assertIn("left 0.00", self.run_command("refund", "list", request))
        self.assertIn("nothing to refund", self.refused("refund", "make", request))
        self.assertIn("there is no request", self.refused("refund", "make", "req_none"))

    def test_webhooks_are_set_listed_and_ended(self):
        hook, secret = self.run_command("webhook", "set", "http://127.0.0.1:9/", "--organisation", "acme").split()
        self.assertTrue(secret.startswith("whsec_"))
        self.assertEqual(self.run_command("webhook", "set", "http://127.0.0.1:9/x", "--id", hook), hook)
        self.assertIn("127.0.0.1:9/x", self.run_command("webhook", "list", "--organisation", "acme"))
        self.assertIn("private address", self.refused("webhook", "test", hook))
        self.assertIn("cannot reach", self.refused("webhook", "test", hook, "--private"))
        self.run_command("webhook", "end", hook)
        self.assertIn("there is no webhook", self.refused("webhook", "end", hook))
        self.assertIn("a webhook's url is", self.refused("webhook", "set", "gopher://x"))

    def test_commitments_are_set_listed_and_ended(self):
        made = self.run_command("commitment", "set", "acme", "--amount", 100, "--from", "2090-01")
        commitment = made.split(":")[0]
        self.assertIn("100.00 CNY a month from 2090-01", self.run_command("commitment", "list"))
        self.assertIn("has a commitment for some", self.refused("commitment", "set", "acme", "--amount", 5,
                                                               "--from", "2095-01"))
        ended = self.run_command("commitment", "end", commitment, "--until", "2091-01")
        self.assertIn("without 2091-01", ended)

    def test_archived_projects_and_organisations_come_back(self):
        self.run_command("organisation", "create", "gone")
        self.run_command("project", "create", "site", "--organisation", "gone")
        for what, name in (("project", "gone/site"), ("organisation", "gone")):
            self.run_command(what, "archive", name)
            self.assertIn("archived", self.run_command("audit", "list", "--organisation", "gone"))
            self.assertIn("restored", self.run_command(what, "restore", name))
        self.run_command("key", "create", "--project", "gone/site")

    def test_the_ledger_verifies_after_all_of_it(self):
        self.run_command("ledger", "verify")


if __name__ == "__main__":
    unittest.main()
