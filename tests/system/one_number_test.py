"""How many tokens were made and what they cost is one number wherever it is told: by the engine's own counter, by the
replies, in the usage API, in the ledger, on the invoice and in the FOCUS export.
"""
import csv
import decimal
import io
import json
import time
import unittest
import urllib.request

from feilun_server import FeilunServer
from road_test import half_close, metric, open_stream, post, stream_events, wait_until_settled

MODEL = "feilun-nano"
CLASSES = ("input", "output")


class OneNumber(unittest.TestCase):
    def setUp(self):
        self.server = FeilunServer().start()
        self.addCleanup(self.server.__exit__)
        run = self.server.run
        run("organisation", "create", "acme")
        self.admin = run("key", "create", "--admin", "--organisation", "acme")
        project = run("project", "create", "web", "--organisation", "acme").split()[0]
        run("wallet", "credit", "--project", project, "--amount", "1")
        self.key = run("key", "create", "--project", project)

    def get(self, path):
        asked = urllib.request.Request(self.server.url + path, headers={"Authorization": f"Bearer {self.admin}"})
        with urllib.request.urlopen(asked, timeout=30) as reply:
            return reply.read().decode()

    def results(self, path):
        first = int(time.time()) // 86400 * 86400 - (time.gmtime().tm_mday - 1) * 86400
        page = json.loads(self.get(f"/v1/organization/{path}?start_time={first}&limit=31"))
        return [result for bucket in page["data"] for result in bucket["results"]]

    def serve(self):
        """Returns what the replies say: tokens by class, and money."""
        told = {"input": 0, "output": 0, "charged": decimal.Decimal(0)}
        for tokens in (1, 2, 7, 30, 64, 200):
            body = {"model": MODEL, "prompt": "Once upon a time, " * min(tokens, 50), "max_tokens": tokens}
            for each in (body, body, {**body, "n": 2}, {**body, "ignore_eos": True}):
                status, reply = post(self.server, "/v1/completions", each, self.key)
                self.assertEqual(status, 200, reply)
                told["input"] += reply["usage"]["prompt_tokens"]
                told["output"] += reply["usage"]["completion_tokens"]
                told["charged"] += decimal.Decimal(reply["feilun"]["charged"])
        return told

    def leave_some(self):
        """Clients that go in the middle: nobody hears what they are charged."""
        for _ in range(5):
            connection, response = open_stream(self.server, "/v1/completions", {
                "model": MODEL, "prompt": "Lily", "max_tokens": 900, "ignore_eos": True}, self.key)
            next(stream_events(response))
            half_close(connection)
            response.read()
            connection.close()

    def test_is_told_everywhere(self):
        self.expect_everywhere(self.serve())
        self.leave_some()
        self.expect_everywhere({})

    def expect_everywhere(self, replies):
        usage = wait_until_settled(self.server, self.key)["usage"]
        ledger = {"input": usage["input_tokens"], "output": usage["output_tokens"],
                  "charged": decimal.Decimal(usage["charged"])}
        self.assertGreater(ledger["output"], 0)
        for name, number in replies.items():
            self.assertEqual(number, ledger[name], f"{name} in the replies")
        self.assertEqual(metric(self.server, "feilun_engine_sampled_tokens_total", MODEL), ledger["output"])
        for tell in (self.of_usage, self.of_invoice, self.of_focus):
            self.assertEqual(tell(), ledger, tell.__name__)

    def of_usage(self):
        usage, costs = self.results("usage/completions"), self.results("costs")
        return {"input": sum(each["input_tokens"] for each in usage),
                "output": sum(each["output_tokens"] for each in usage),
                "charged": sum(decimal.Decimal(each["amount"]["exact"]) for each in costs)}

    def of_invoice(self):
        month = time.strftime("%Y-%m", time.gmtime())
        draft = json.loads(self.get(f"/v1/organization/invoices/preview?month={month}"))["document"]
        lines = draft["lines"]
        numbers = {name: sum(line["quantity"] for line in lines if self.class_of(line["token_class"]) == name)
                   for name in CLASSES}
        self.assertEqual(sum(int(line["exact"]["pico"]) for line in lines), int(draft["exact"]["pico"]))
        return {**numbers, "charged": decimal.Decimal(draft["exact"]["amount"])}

    def of_focus(self):
        month = time.strftime("%Y-%m", time.gmtime())
        rows = list(csv.DictReader(io.StringIO(self.get(f"/v1/organization/focus?month={month}"), newline="")))
        numbers = {name: sum(int(row["ConsumedQuantity"]) for row in rows
                             if self.class_of(row["x_TokenClass"]) == name) for name in CLASSES}
        return {**numbers, "charged": sum(decimal.Decimal(row["BilledCost"]) for row in rows)}

    @staticmethod
    def class_of(token_class):
        """Cached tokens are input too."""
        return "output" if token_class in ("output", "reasoning") else "input"


if __name__ == "__main__":
    unittest.main()
