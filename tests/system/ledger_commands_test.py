"""The commands that look after a ledger: each is run as an operator runs it, and its exit status is looked at."""
import concurrent.futures
import csv
import decimal
import json
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import time
import unittest

from feilun_server import BINARY, FeilunServer, run_tests
from money_checks import chat
from road_test import post, wait_until_settled
from test_postgres import PROGRAMS, TestPostgres

REQUESTS = 3


class Commands(unittest.TestCase):
    data = None  # the data directory that the commands are of

    @staticmethod
    def feilun(*arguments, data):
        return subprocess.run([BINARY, *map(str, arguments), "--data", data], capture_output=True, text=True,
                              timeout=60)

    def run_command(self, *arguments, status=0):
        done = self.feilun(*arguments, data=self.data)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def of_database(self, ask):
        """What `ask(connection)` returns; what it changes is what somebody with the file in his hands can do."""
        database = sqlite3.connect(self.data / "ledger.db")
        with database:
            answer = ask(database)
        database.close()
        return answer


class LeftByAServer(Commands):
    """A server has answered a few requests and is stopped; each test works on a copy of what it left."""

    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="feilun-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        with FeilunServer() as server:
            cls.replies = dict(chat(server, server.key) for _ in range(REQUESTS))
            beside = cls.feilun("ledger", "verify", data=server.data)
            assert beside.returncode == 0, beside.stdout
            refused = cls.feilun("ledger", "rebuild", data=server.data)
            assert refused.returncode == 1 and "stop it first" in refused.stderr, refused.stderr
            server.stop()
            shutil.copytree(server.data, cls.directory / "left")

    def setUp(self):
        self.data = self.directory / self.id()
        shutil.copytree(self.directory / "left", self.data)

    def change(self, statement):
        self.assertEqual(self.of_database(lambda database: database.execute(statement).rowcount), 1)


class LedgerCommands(LeftByAServer):
    def test_a_ledger_that_nobody_touched_is_right(self):
        said = self.run_command("ledger", "verify")
        self.assertIn(f"{REQUESTS} requests, 0 open holds: every sum, balance and hash is right", said)

    def test_a_months_usage_and_costs_are_what_the_replies_said(self):
        said = {name: sum(reply["usage"][name] for reply in self.replies.values())
                for name in ("prompt_tokens", "completion_tokens")}
        month = json.loads(self.run_command("usage", "--json"))
        used, = month["data"]
        self.assertEqual((used["project"], used["model"], used["service_tier"], used["num_model_requests"]),
                         ("default", "feilun-nano", "default", REQUESTS))
        self.assertEqual({"prompt_tokens": used["input_tokens"], "completion_tokens": used["output_tokens"]}, said)
        charged = sum(decimal.Decimal(reply["feilun"]["charged"]) for reply in self.replies.values())
        cost, = json.loads(self.run_command("costs", "--json", "--month", month["month"]))["data"]
        self.assertEqual((decimal.Decimal(cost["amount"]), cost["currency"]), (charged, "CNY"))
        self.assertEqual(self.run_command("usage", "--owner", "default").splitlines()[1].split(),
                         ["default", "feilun-nano", "default", str(REQUESTS), str(used["input_tokens"]),
                          str(used["input_cached_tokens"]), str(used["output_tokens"])])
        self.assertEqual(self.run_command("costs", "--project", "default").splitlines()[-1].split(),
                         ["sum", cost["amount"], "CNY"])
        self.assertEqual(json.loads(self.run_command("usage", "--month", "2020-01", "--json"))["data"], [])
        self.run_command("usage", "--month", "soon", status=2)
        self.run_command("costs", "--owner", "nobody", status=1)

    def settles(self):
        """Of the export, what requests were charged, as an outside record would have it."""
        lines = [json.loads(line) for line in self.run_command("ledger", "export").splitlines()]
        self.assertEqual([line["sequence"] for line in lines], list(range(1, len(lines) + 1)))
        for line in lines:
            if line["kind"] == "settle":
                usage = line["usage"]
                charged = sum(decimal.Decimal(posting["amount"]) for posting in line["postings"]
                              if posting["account"] == "revenue")
                yield {"request_id": line["request"],
                       "input_tokens": usage["input_fresh"] + usage["cache_read"] + usage["cache_write"],
                       "output_tokens": usage["output"] + usage["reasoning"], "amount": charged,
                       "currency": "CNY"}

    def bill(self, rows):
        path = self.data / "bill.csv"
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        return path

    def test_an_export_reconciles_with_the_ledger_until_a_line_is_changed(self):
        rows = list(self.settles())
        self.assertEqual({row["request_id"]: row["amount"] for row in rows},
                         {request: decimal.Decimal(reply["feilun"]["charged"])
                          for request, reply in self.replies.items()})
        self.assertIn(f"{REQUESTS} the same", self.run_command("ledger", "reconcile", self.bill(rows)))
        dearer = [{**rows[0], "amount": "1"}, *rows[1:]]
        said = self.run_command("ledger", "reconcile", self.bill(dearer), status=1)
        self.assertIn(f"different: {rows[0]['request_id']}", said)
        self.assertIn("0 missing here, 0 missing there, 1 different", said)
        self.run_command("ledger", "reconcile", self.bill(dearer), "--tolerance", "1")
        said = self.run_command("ledger", "reconcile", self.bill(rows[1:]), status=1)
        self.assertIn(f"missing there: {rows[0]['request_id']}", said)
        self.run_command("ledger", "reconcile", "/nonexistent", status=1)
        self.run_command("ledger", "export", "--format", "xml", status=2)

    def test_every_format_of_the_export_tells_the_same_entries(self):
        lines = self.run_command("ledger", "export").splitlines()
        events = [json.loads(line)["data"] for line in
                  self.run_command("ledger", "export", "--format", "cloudevents").splitlines()]
        self.assertEqual(events, [json.loads(line) for line in lines])
        hashes = {row["hash"] for row in csv.DictReader(
            self.run_command("ledger", "export", "--format", "csv").splitlines())}
        self.assertEqual(hashes, {event["hash"] for event in events})
        self.assertEqual(self.run_command("ledger", "export", "--until", "2020-01-01"), "")

    def test_a_byte_of_the_journal_is_noticed_and_cannot_be_repaired(self):
        self.change("UPDATE journal SET payload = CAST(payload || x'00' AS BLOB) WHERE sequence = 9")
        self.assertIn("entry 9", self.run_command("ledger", "verify", status=1))
        self.assertIn("entry 9", self.run_command("ledger", "rebuild", status=1))

    def test_an_entry_that_was_cut_off_is_missed(self):
        self.change("DELETE FROM journal WHERE sequence = (SELECT max(sequence) FROM journal)")
        self.run_command("ledger", "verify", status=1)

    def test_a_row_of_the_state_is_noticed_and_put_right(self):
        self.change("UPDATE state SET value = zeroblob(length(value)) WHERE key = (SELECT min(key) FROM state)")
        self.assertIn("state:", self.run_command("ledger", "verify", status=1))
        self.assertIn("1 are otherwise", self.run_command("ledger", "rebuild", "--dry-run"))
        self.run_command("ledger", "verify", status=1)
        self.assertIn("1 were otherwise", self.run_command("ledger", "rebuild"))
        self.run_command("ledger", "verify")
        self.assertIn("0 are otherwise", self.run_command("ledger", "rebuild", "--dry-run"))

    def test_archiving_takes_nothing_that_is_not_sealed(self):
        said = self.run_command("ledger", "archive", "--before", "2099-01")
        self.assertIn("0 segments with 0 entries", said)
        self.assertIn(str(self.data / "archive"), said)
        self.run_command("ledger", "archive", "--before", "soon", status=2)
        self.run_command("ledger", "verify")

    def test_tables_of_this_format_need_no_upgrade(self):
        for flags in (["--dry-run"], []):
            self.assertIn("of this program's format already", self.run_command("ledger", "upgrade", *flags))

    def tables(self):
        return self.of_database(lambda database: (database.execute("PRAGMA user_version").fetchone(),
                                                  *database.iterdump()))

    def test_tables_of_an_older_format_are_upgraded(self):
        """A program of format 3 left the acts that move money out of the audit log."""
        logged, made = self.run_command("audit", "list"), self.tables()
        self.assertIn("credit.created", logged)
        self.of_database(lambda database: database.executescript(
            "DELETE FROM state WHERE substr(key, 1, 1) = CAST('T' AS BLOB); PRAGMA user_version = 3"))
        older = self.tables()
        self.assertLess(len(older), len(made))
        self.run_command("ledger", "verify")
        self.assertIn("feilun ledger upgrade", self.run_command("ledger", "balance", status=1))
        step = "-- 4: acts that move money in the audit log, by the journal\n"
        self.assertEqual(self.run_command("ledger", "upgrade", "--dry-run"),
                         step + "nothing was changed: this was a dry run\n")
        self.assertEqual(self.tables(), older)
        self.assertEqual(self.run_command("ledger", "upgrade"), step)
        self.assertEqual(self.tables(), made)
        self.assertEqual(self.run_command("audit", "list"), logged)
        self.run_command("ledger", "verify")
        self.assertIn("already", self.run_command("ledger", "upgrade"))

    def test_where_there_is_no_ledger_nothing_is_made(self):
        self.data = self.directory / "nothing"
        for command in (["verify"], ["rebuild"], ["export"], ["balance"], ["upgrade"],
                        ["archive", "--before", "2026-01"]):
            self.run_command("ledger", *command, status=1)
        self.assertFalse(self.data.exists())


class Archive(Commands):
    """A segment is sealed of 8,192 entries as soon as 16,384 newer ones lie behind it. Each token is an entry here."""

    ENTRIES = 8192 + 16384

    def setUp(self):
        self.server = FeilunServer("--mark-interval", "1").start()
        self.addCleanup(self.server.__exit__)
        self.data = self.server.data
        body = {"model": "feilun-nano", "prompt": "Lily", "max_tokens": 900, "ignore_eos": True}
        with concurrent.futures.ThreadPoolExecutor(self.ENTRIES // 900 + 1) as clients:
            for status, reply in clients.map(lambda _: post(self.server, "/v1/completions", body),
                                             range(self.ENTRIES // 900 + 1)):
                self.assertEqual(status, 200, reply)
        wait_until_settled(self.server)
        deadline = time.monotonic() + 20
        while self.segments() == []:
            self.assertLess(time.monotonic(), deadline, "no segment is sealed")
            time.sleep(0.02)

    def segments(self):
        """The numbers of bytes of those that are in the database."""
        return self.of_database(lambda database: [size for size, in database.execute(
            "SELECT length(bytes) FROM segments WHERE length(bytes) > 0")])

    def test_a_segment_moves_to_a_file_beside_the_server(self):
        exported = self.run_command("ledger", "export")
        size, = self.segments()
        self.assertIn("0 segments", self.run_command("ledger", "archive", "--before", "2020-01"))
        self.assertEqual(self.run_command("ledger", "archive", "--before", "2099-01"),
                         f"1 segments with 8192 entries ({size} bytes) are in {self.data / 'archive'} now\n")
        self.assertEqual(self.segments(), [])
        file, = (self.data / "archive").glob("*.segment")
        self.assertEqual(file.stat().st_size, size)
        self.assertIn("0 segments", self.run_command("ledger", "archive", "--before", "2099-01"))
        self.run_command("ledger", "verify")
        self.assertEqual(self.run_command("ledger", "export"), exported)
        chat(self.server, self.server.key)
        file.rename(self.data / "elsewhere")
        self.run_command("ledger", "verify", status=1)


@unittest.skipUnless((PROGRAMS / "initdb").exists(), "PostgreSQL's server is not installed")
class Migration(LeftByAServer):
    def test_a_ledger_moves_to_postgres_whole_and_once(self):
        exported = self.run_command("ledger", "export")
        balance = self.run_command("ledger", "balance")
        with TestPostgres() as postgres:
            there = ("--ledger", postgres.url)
            migrate = [BINARY, "ledger", "migrate", "--from", self.data, "--to", postgres.url]
            moved = subprocess.run(migrate, capture_output=True, text=True, timeout=60)
            self.assertEqual(moved.returncode, 0, moved.stderr)
            self.assertIn("moved and verified: ", moved.stdout)
            self.assertFalse((self.data / "ledger.db").exists())
            self.assertTrue((self.data / "ledger.db.moved").exists())
            self.assertIn(f"{REQUESTS} requests", self.run_command("ledger", "verify", *there))
            self.assertEqual(self.run_command("ledger", "export", *there), exported)
            self.assertEqual(self.run_command("ledger", "balance", *there), balance)
            self.assertIn("0 are otherwise", self.run_command("ledger", "rebuild", "--dry-run", *there))
            self.assertIn("already", self.run_command("ledger", "upgrade", "--dry-run", *there))
            self.assertIn("0 segments", self.run_command("ledger", "archive", "--before", "2099-01", *there))
            again = subprocess.run(migrate, capture_output=True, text=True, timeout=60)
            self.assertEqual(again.returncode, 1, again.stdout)


if __name__ == "__main__":
    run_tests()
