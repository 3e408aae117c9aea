"""A thousand requests at once where the wallet pays for five hundred: exactly five hundred are served, on however many
gateways.
"""
import contextlib
import decimal
import http.client
import json
import os
import unittest

from feilun_server import FeilunServer, run_tests
from test_postgres import PROGRAMS, TestPostgres

REQUESTS = 1000
PAID = 500
TOKENS = 8
BODY = json.dumps({"model": "feilun-nano", "prompt": "Once upon a time", "max_tokens": TOKENS, "ignore_eos": True})


def ask(server, key):
    """Sends a request, whose reply is read from what this returns."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("POST", "/v1/completions", BODY,
                       {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    return connection


def answer(connection):
    with contextlib.closing(connection):
        reply = connection.getresponse()
        return reply.status, json.load(reply)


class PaidFor(unittest.TestCase):
    def setUp(self):
        self.cleanup = contextlib.ExitStack()
        self.addCleanup(self.cleanup.close)

    def start(self, gateways):
        """What is held is what is charged: cached tokens cost what others do."""
        servers = [FeilunServer("--demo-money", "0") for _ in range(gateways)]
        servers[0].run("price", "set", "--offering", "feilun-nano", "--input", "0.3", "--output", "0.6")
        return [self.cleanup.enter_context(server) for server in servers]

    def price_of_one(self, server):
        server.run("project", "create", "probe")
        server.run("wallet", "credit", "--project", "probe", "--amount", "1")
        status, reply = answer(ask(server, server.create_key("probe")))
        self.assertEqual(status, 200, reply)
        return decimal.Decimal(reply["feilun"]["charged"])

    def expect_exactly_the_paid_are_served_by(self, gateways):
        servers = self.start(gateways)
        each = self.price_of_one(servers[0])
        servers[0].run("wallet", "credit", "--project", "default", "--amount", each * PAID)
        key = servers[0].key
        asked = [ask(servers[number % gateways], key) for number in range(REQUESTS)]
        served, refused = 0, 0
        for status, reply in map(answer, asked):
            if status == 200:
                served += 1
                self.assertEqual(reply["choices"][0]["finish_reason"], "length")
                self.assertNotIn("stop_cause", reply["feilun"])
                self.assertEqual(reply["usage"]["completion_tokens"], TOKENS)
                self.assertEqual(decimal.Decimal(reply["feilun"]["charged"]), each)
            else:
                refused += 1
                self.assertEqual((status, reply["error"]["code"]), (429, "insufficient_quota"))
        self.assertEqual((served, refused), (PAID, REQUESTS - PAID))
        for server in servers:
            balance = server.balance(key)
            self.assertEqual((balance["available"], balance["held"]), ("0.00", "0.00"))
            self.assertEqual(balance["usage"]["requests"], PAID)
        self.assertIn(" 0 open holds", servers[0].run("ledger", "verify"))


class OverSqlite(PaidFor):
    def test_by_one_server(self):
        self.expect_exactly_the_paid_are_served_by(1)


@unittest.skipUnless((PROGRAMS / "initdb").exists(), "PostgreSQL's server is not installed")
class OverPostgres(PaidFor):
    def setUp(self):
        super().setUp()
        os.environ["FEILUN_LEDGER"] = self.cleanup.enter_context(TestPostgres()).url
        self.cleanup.callback(os.environ.pop, "FEILUN_LEDGER")

    def test_by_one_gateway(self):
        self.expect_exactly_the_paid_are_served_by(1)

    def test_by_two_gateways(self):
        self.expect_exactly_the_paid_are_served_by(2)

    def test_by_four_gateways(self):
        self.expect_exactly_the_paid_are_served_by(4)


if __name__ == "__main__":
    run_tests()
