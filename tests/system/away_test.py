"""What becomes of requests when the ledger's database goes away, and when a gateway stands still."""
import contextlib
import decimal
import http.client
import json
import os
import signal
import subprocess
import time
import unittest
import urllib.error
import urllib.request

from feilun_server import BINARY, FeilunServer, run_tests
from test_postgres import PROGRAMS, TestPostgres

MARK_INTERVAL = 32
STREAM_WINDOW = 2


class Stream:
    """A stream that is read when the test wants it."""

    def __init__(self, server, max_tokens):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        body = {"model": "feilun-nano", "prompt": "Once upon a time", "max_tokens": max_tokens, "ignore_eos": True,
                "logprobs": 0, "stream": True, "stream_options": {"include_usage": True}}
        self.connection.request("POST", "/v1/completions", json.dumps(body),
                                {"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"})
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()
        self.tokens = 0
        self.last = self.usage = self.error = None
        self.done = False

    def read(self, tokens=None):
        """Up to so many tokens, or to the end."""
        while not self.done and (tokens is None or self.tokens < tokens):
            line = self.response.readline()
            if line.strip() == b"data: [DONE]" or not line:
                self.done = True
            elif line.startswith(b"data: "):
                self.take(json.loads(line[6:]))
        if self.done:
            self.connection.close()
        return self

    def take(self, event):
        if "error" in event:
            self.error = event["error"]
            return
        for choice in event["choices"]:
            self.tokens += len(choice["logprobs"]["tokens"]) if choice.get("logprobs") else 0
            if choice["finish_reason"]:
                self.last = event
        if event.get("usage"):
            self.usage = event["usage"]


def metric(server, name, number=int):
    with urllib.request.urlopen(server.url + "/metrics", timeout=10) as reply:
        for line in reply.read().decode().splitlines():
            if line.startswith(name + " "):
                return number(line.rsplit(" ", 1)[1])
    raise AssertionError(f"no {name}")


def charged(server):
    return metric(server, 'feilun_charged_total{model="feilun-nano",currency="CNY"}', decimal.Decimal)


def until(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@unittest.skipUnless((PROGRAMS / "initdb").exists(), "PostgreSQL's server is not installed")
class LedgerAway(unittest.TestCase):
    def setUp(self):
        self.cleanup = contextlib.ExitStack()
        self.addCleanup(self.cleanup.close)
        self.postgres = self.cleanup.enter_context(TestPostgres())
        self.old_environment = os.environ.get("FEILUN_LEDGER")
        os.environ["FEILUN_LEDGER"] = self.postgres.url
        self.cleanup.callback(os.environ.pop, "FEILUN_LEDGER", None)

    def start(self, *flags, key=None, data=None):
        server = FeilunServer(*flags, data=data)
        server.key = key
        return self.cleanup.enter_context(server)

    def verify(self, server):
        done = subprocess.run([BINARY, "ledger", "verify", "--data", server.data], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def ask(self, server):
        """A new request: its status, headers and error."""
        body = {"model": "feilun-nano", "prompt": "a", "max_tokens": 1}
        request = urllib.request.Request(
            server.url + "/v1/completions", data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, reply.headers, None
        except urllib.error.HTTPError as error:
            return error.code, error.headers, json.load(error)["error"]

    def expect_whole(self, stream, tokens):
        self.assertIsNone(stream.error)
        self.assertEqual(stream.tokens, tokens)
        self.assertEqual(stream.last["choices"][0]["finish_reason"], "length")
        self.assertNotIn("stop_cause", stream.last["feilun"])
        self.assertEqual(stream.usage["completion_tokens"], tokens)

    def expect_unavailable(self, server):
        status, headers, error = self.ask(server)
        self.assertEqual((status, error["code"]), (503, "unavailable"))
        self.assertGreaterEqual(int(headers["retry-after"]), 1)
        self.assertEqual(headers["x-should-retry"], "true")

    def expect_all_is_told(self, server, requests, output_tokens):
        until(server.ready, "the server is not ready again")
        until(lambda: metric(server, "feilun_ledger_spool_bytes") == 0, "the spool is not emptied")
        usage = server.balance()["usage"]
        self.assertEqual((usage["requests"], usage["output_tokens"]), (requests, output_tokens))
        self.assertEqual(charged(server), decimal.Decimal(usage["charged"]))
        self.assertEqual(server.balance()["held"], "0.00")
        self.assertEqual(metric(server, "feilun_ledger_fenced_total"), 0)
        self.assertEqual(self.ask(server)[0], 200)
        self.verify(server)


class AwayForAMinute(LedgerAway):
    def test_under_a_lease_of_the_length_it_has_by_itself_costs_nobody_anything(self):
        server = self.start()
        ends, waits = [Stream(server, 250).read(3) for _ in range(2)], [Stream(server, 1000).read(3) for _ in range(2)]
        self.postgres.stop()
        back = time.monotonic() + 60
        for stream in ends:
            self.expect_whole(stream.read(), 250)
            self.assertIsNone(stream.last["feilun"]["charged"])
        until(lambda: metric(server, "feilun_ledger_away") == 1, "the database is not missed")
        while time.monotonic() < back:
            self.expect_unavailable(server)
            time.sleep(5)
        self.postgres.start()
        for stream in waits:
            self.expect_whole(stream.read(), 1000)
            self.assertIsNotNone(stream.last["feilun"]["charged"], "it did not wait for the database")
        self.expect_all_is_told(server, 4, 2500)


class TheDatabaseAway(LedgerAway):
    def goes_and_comes_back(self, go, come_back):
        server = self.start()
        streams = [Stream(server, 250) for _ in range(4)]
        for stream in streams:
            stream.read(3)
        go()
        for stream in streams:
            self.expect_whole(stream.read(), 250)
        # Whoever ended while the database was away does not know what it will be charged.
        self.assertIn(None, [stream.last["feilun"]["charged"] for stream in streams])
        until(lambda: metric(server, "feilun_ledger_away") == 1, "the database is not missed")
        self.assertGreaterEqual(metric(server, "feilun_ledger_spool_records"), 1)
        began = time.monotonic()
        self.expect_unavailable(server)
        self.assertLess(time.monotonic() - began, 5)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            server.balance()
        self.assertEqual(refused.exception.code, 503)
        self.assertGreaterEqual(int(refused.exception.headers["retry-after"]), 1)
        self.assertFalse(server.ready())
        come_back()
        self.expect_all_is_told(server, 4, 1000)

    def test_a_database_that_stops_for_a_while_costs_nobody_anything(self):
        self.goes_and_comes_back(self.postgres.stop, self.postgres.start)

    def test_nor_does_one_that_hangs(self):
        self.goes_and_comes_back(self.postgres.freeze, self.postgres.thaw)

    def test_a_gateway_killed_meanwhile_charges_what_it_told_its_clients(self):
        server = self.start()
        finished = Stream(server, 250).read(3)
        running = Stream(server, 2000).read(3)
        self.postgres.stop()
        finished.read()
        self.assertEqual(finished.tokens, 250)
        running.read(100)
        until(lambda: metric(server, "feilun_ledger_spool_records") > 0, "nothing is spooled")
        server.stop(signal.SIGKILL)
        with contextlib.suppress(OSError, http.client.HTTPException):
            running.read()
        self.postgres.start()
        server.start()
        self.assertGreaterEqual(metric(server, "feilun_ledger_replayed_total"), 2)
        usage = server.balance()["usage"]
        self.assertEqual(usage["requests"], 2)
        partial = usage["output_tokens"] - finished.tokens
        self.assertLessEqual(running.tokens - partial, MARK_INTERVAL)
        self.assertLessEqual(partial, running.tokens + STREAM_WINDOW)
        self.assertEqual(server.balance()["held"], "0.00")
        self.verify(server)

    def test_a_server_stops_without_its_database_and_charges_when_it_starts(self):
        server = self.start()
        stream = Stream(server, 250).read(3)
        self.postgres.stop()
        stream.read()
        self.assertEqual(server.stop(), 0)
        self.postgres.start()
        server.start()
        usage = server.balance()["usage"]
        self.assertEqual((usage["requests"], usage["output_tokens"]), (1, 250))
        self.assertEqual(server.balance()["held"], "0.00")
        self.verify(server)

    def test_nor_is_anything_lost_when_it_stops_while_the_database_hangs(self):
        server = self.start()
        stream = Stream(server, 250).read(3)
        self.postgres.freeze()
        stream.read()
        began = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - began, 10)
        self.postgres.thaw()
        server.start()
        usage = server.balance()["usage"]
        self.assertEqual((usage["requests"], usage["output_tokens"]), (1, 250))
        self.assertEqual(charged(server), decimal.Decimal(usage["charged"]))
        self.assertEqual(server.balance()["held"], "0.00")
        self.verify(server)

    def test_the_page_is_told_within_seconds_that_the_database_hangs(self):
        server = self.start()
        self.assertEqual(self.ask(server)[0], 200)
        self.postgres.freeze()
        began = time.monotonic()
        with self.assertRaises(urllib.error.HTTPError) as refused:
            server.balance()
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(refused.exception.code, 503)
        self.assertGreaterEqual(int(refused.exception.headers["retry-after"]), 1)
        until(lambda: metric(server, "feilun_ledger_away") == 1, "the database is not missed")
        began = time.monotonic()
        self.assertEqual(self.ask(server)[0], 503)
        self.assertLess(time.monotonic() - began, 1)
        self.postgres.thaw()
        until(server.ready, "the server is not ready again")
        self.assertEqual(self.ask(server)[0], 200)

    def test_a_stream_that_outlives_the_lease_is_cut_and_charged(self):
        server = self.start("--ledger-lease", "4")
        stream = Stream(server, 2000).read(3)
        self.postgres.stop()
        stream.read()
        self.assertIsNone(stream.error)
        self.assertEqual(stream.last["choices"][0]["finish_reason"], "length")
        self.assertEqual(stream.last["feilun"]["stop_cause"], "ledger")
        self.assertLess(stream.tokens, 2000)
        self.postgres.start()
        until(server.ready, "the server is not ready again")
        until(lambda: server.balance()["held"] == "0.00", "a hold is left")
        self.assertEqual(server.balance()["usage"]["output_tokens"], stream.tokens)
        self.verify(server)

    def test_a_gateway_that_stood_still_past_its_lease_is_fenced(self):
        still = self.start("--ledger-lease", "3")
        awake = self.start("--ledger-lease", "3", key=still.key)
        stream = Stream(still, 2000).read(3)
        still.process.send_signal(signal.SIGSTOP)
        until(lambda: awake.balance()["held"] == "0.00", "the hold was not ended")
        charged = awake.balance()["usage"]["output_tokens"]
        still.process.send_signal(signal.SIGCONT)
        stream.read()
        if stream.error:
            self.assertEqual(stream.error["code"], "cancelled")
        else:
            # Waking up, it took the database for away, and will be refused when it tells its spool.
            self.assertEqual(stream.last["feilun"]["stop_cause"], "ledger")
            self.assertIsNone(stream.last["feilun"]["charged"])
        self.assertLessEqual(stream.tokens, charged + MARK_INTERVAL)
        until(lambda: metric(still, "feilun_ledger_fenced_total") == 1, "its settle was not refused")
        self.assertGreaterEqual(metric(still, "feilun_ledger_wasted_output_tokens_total"), charged)
        self.assertEqual(awake.balance()["usage"]["output_tokens"], charged)
        self.assertEqual(self.ask(still)[0], 200)
        self.verify(awake)


if __name__ == "__main__":
    run_tests()
