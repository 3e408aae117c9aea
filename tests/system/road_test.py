"""The whole road of a request on real weights: socket → key → hold → engine → SSE → settle → balance."""
import concurrent.futures
import http.client
import json
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from feilun_server import BINARY, TESTDATA, FeilunServer, run_tests

STORIES = TESTDATA / "models/stories260K"
TINYSTORIES = TESTDATA / "models/tinystories-656K"
INPUT_PRICE, OUTPUT_PRICE = "0.3", "0.6"  # per million tokens
PICO_PER_UNIT = 10**12


def post(server, path, body, key=None, timeout=60):
    request = urllib.request.Request(
        server.url + path, data=json.dumps(body).encode(), method="POST",
        headers={"Authorization": f"Bearer {key or server.key}", "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def open_stream(server, path, body, key=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", path, json.dumps({**body, "stream": True}),
                       {"Authorization": f"Bearer {key or server.key}", "Content-Type": "application/json"})
    return connection, connection.getresponse()


def stream_events(response):
    for line in response:
        if line.startswith(b"data: ") and line.strip() != b"data: [DONE]":
            yield json.loads(line[6:])


def tokens_in(event):
    return sum(len(choice["logprobs"]["tokens"]) for choice in event.get("choices", []) if choice.get("logprobs"))


def metric(server, name, model):
    with urllib.request.urlopen(server.url + "/metrics", timeout=10) as reply:
        for line in reply.read().decode().splitlines():
            if line.startswith(f'{name}{{model="{model}"}} '):
                return int(line.rsplit(" ", 1)[1])
    raise AssertionError(f"no {name} for {model}")


def half_close(connection):
    try:
        connection.sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the server was first


def wait_until_settled(server, key=None):
    deadline = time.monotonic() + 20
    while True:
        balance = server.balance(key)
        if balance["held"] == "0.00":
            return balance
        assert time.monotonic() < deadline, f"a hold is still open: {balance}"
        time.sleep(0.01)


@unittest.skipUnless(STORIES.exists(), f"test data absent: {STORIES}")
class TheRoad(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.gguf = pathlib.Path(cls.directory.name) / "stories260K.gguf"
        subprocess.run([BINARY, "model", "convert", STORIES / "stories260K.bin", "--tokenizer", STORIES / "tok512.bin",
                        "--out", cls.gguf], check=True, capture_output=True)
        cls.server = FeilunServer("--kv", "f32", models=[f"stories={cls.gguf}", f"tiny={TINYSTORIES}",
                                                         "nano=builtin"]).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        verified = subprocess.run([BINARY, "ledger", "verify", "--data", cls.server.data], capture_output=True)
        cls.server.__exit__()
        cls.directory.cleanup()
        assert verified.returncode == 0, verified.stdout

    def new_tenant(self, name, amount=None):
        self.server.run("project", "create", name)
        if amount:
            self.server.run("wallet", "credit", "--project", name, "--amount", amount, "--currency", "CNY")
        return self.server.create_key(name)

    def test_stories260k_tells_the_expected_200_greedy_steps(self):
        expected = (STORIES / "expected_greedy_200_steps.txt").read_text().rstrip("\n")
        body = {"model": "stories", "prompt": "", "max_tokens": 200, "temperature": 0}
        status, reply = post(self.server, "/v1/completions", body)
        self.assertEqual(status, 200, reply)
        self.assertEqual(reply["choices"][0]["text"].rstrip("\n"), expected)
        self.assertEqual(reply["usage"]["completion_tokens"], 200)
        connection, response = open_stream(self.server, "/v1/completions", body)
        text = "".join(event["choices"][0]["text"] for event in stream_events(response) if event["choices"])
        connection.close()
        self.assertEqual(text.rstrip("\n"), expected)

    @unittest.skipUnless(TINYSTORIES.exists(), "test data absent")
    def test_a_hugging_face_directory_tells_a_story(self):
        status, reply = post(self.server, "/v1/completions",
                             {"model": "tiny", "prompt": "Once upon a time", "max_tokens": 40, "temperature": 0})
        self.assertEqual(status, 200, reply)
        self.assertRegex(reply["choices"][0]["text"], r"[a-z]+ [a-z]+ [a-z]+")

    def test_the_charge_is_usage_times_price_to_the_last_pico_unit(self):
        key = self.new_tenant("exact", "1.00")
        for max_tokens in (1, 7, 64):
            before = wait_until_settled(self.server, key)
            _, reply = post(self.server, "/v1/completions",
                            {"model": "stories", "prompt": "Lily", "max_tokens": max_tokens}, key)
            after = wait_until_settled(self.server, key)
            usage = reply["usage"]
            pico = usage["prompt_tokens"] * 300_000 + usage["completion_tokens"] * 600_000
            self.assertEqual(pico_units(before["available"]) - pico_units(after["available"]), pico)

    def test_a_wallet_for_37_and_a_half_tokens_gets_37(self):
        _, reply = post(self.server, "/v1/completions", {"model": "stories", "prompt": "Lily", "max_tokens": 1})
        input_pico = reply["usage"]["prompt_tokens"] * 300_000
        amount = f"{(input_pico + 37 * 600_000 + 300_000) / PICO_PER_UNIT:.12f}"
        for stream in (False, True):
            key = self.new_tenant(f"short-{stream}", amount)
            body = {"model": "stories", "prompt": "Lily", "max_tokens": 200, "ignore_eos": True}
            if stream:
                connection, response = open_stream(self.server, "/v1/completions",
                                                   {**body, "stream_options": {"include_usage": True}}, key)
                events = list(stream_events(response))
                connection.close()
                text = json.dumps(events)
                usage = next(event["usage"] for event in events if event.get("usage"))
                finish = [choice["finish_reason"] for event in events for choice in event["choices"]][-1]
            else:
                _, reply = post(self.server, "/v1/completions", body, key)
                text, usage, finish = json.dumps(reply), reply["usage"], reply["choices"][0]["finish_reason"]
            self.assertEqual(usage["completion_tokens"], 37)
            self.assertEqual(finish, "length")
            self.assertRegex(text, r'"stop_cause": ?"balance"')
            self.assertEqual(pico_units(wait_until_settled(self.server, key)["available"]), 300_000)
            status, refused = post(self.server, "/v1/completions", body, key)
            self.assertEqual((status, refused["error"]["code"]), (429, "insufficient_quota"))

    def test_a_client_that_leaves_after_any_token_pays_for_what_was_made(self):
        """tokens read ≤ charged ≤ that + 2 steps, for every token index from 0 to 64.

        The client closes its sending side and reads what is still on its way, so that "read" is all that was
        ever sent to it.
        """
        key = self.new_tenant("leaver", "1.00")
        body = {"model": "stories", "prompt": "Lily", "max_tokens": 400, "ignore_eos": True, "temperature": 0,
                "logprobs": 0}
        sampled_before = metric(self.server, "feilun_engine_sampled_tokens_total", "stories")
        charged_in_all = 0
        for leave_after in range(65):
            before = wait_until_settled(self.server, key)["usage"]["output_tokens"]
            connection, response = open_stream(self.server, "/v1/completions", body, key)
            read = 0
            for event in stream_events(response):
                if read >= leave_after and connection.sock:
                    half_close(connection)
                read += tokens_in(event)
            connection.close()
            charged = wait_until_settled(self.server, key)["usage"]["output_tokens"] - before
            self.assertLess(read, 400, "the client left, and the stream went on to its end")
            self.assertLessEqual(read, charged)
            self.assertLessEqual(charged, read + 2)
            charged_in_all += charged
        sampled = metric(self.server, "feilun_engine_sampled_tokens_total", "stories") - sampled_before
        self.assertEqual(sampled, charged_in_all, "the sampler's own count is not what the ledger charged")

    def test_a_client_that_vanishes_frees_its_slot_and_its_hold(self):
        key = self.new_tenant("vanisher", "1.00")
        for leave_after in (0, 1, 5, 40):
            before = wait_until_settled(self.server, key)["usage"]["output_tokens"]
            connection, response = open_stream(
                self.server, "/v1/completions",
                {"model": "stories", "prompt": "Lily", "max_tokens": 500, "ignore_eos": True, "logprobs": 0}, key)
            read, events = 0, stream_events(response)
            while read < leave_after:
                read += tokens_in(next(events))
            response.close()
            connection.close()
            charged = wait_until_settled(self.server, key)["usage"]["output_tokens"] - before
            self.assertGreaterEqual(charged, read)

    def test_keys_are_refused_when_wrong_and_after_revocation(self):
        body = {"model": "stories", "prompt": "Lily", "max_tokens": 1}
        self.assertEqual(post(self.server, "/v1/completions", body, "sk-fl-wrong")[0], 401)
        key = self.new_tenant("revoked", "1.00")
        self.assertEqual(post(self.server, "/v1/completions", body, key)[0], 200)
        listed = self.server.run("key", "list", "--project", "revoked").splitlines()[1]  # the administrators' come after
        self.server.run("key", "revoke", listed.split()[0])
        time.sleep(1.1)
        self.assertEqual(post(self.server, "/v1/completions", body, key)[0], 401)

    def test_a_price_set_beside_the_running_server_is_charged(self):
        key = self.new_tenant("repriced", "1.00")
        self.server.run("price", "set", "--offering", "tiny", "--input", "0", "--output", "1")
        before = wait_until_settled(self.server, key)
        _, reply = post(self.server, "/v1/completions", {"model": "tiny", "prompt": "Lily", "max_tokens": 10}, key)
        after = wait_until_settled(self.server, key)
        self.assertEqual(pico_units(before["available"]) - pico_units(after["available"]),
                         reply["usage"]["completion_tokens"] * 1_000_000)

    def test_a_burst_shares_forward_passes_and_every_answer_is_the_same(self):
        body = {"model": "stories", "prompt": "Once", "max_tokens": 60, "temperature": 0, "logprobs": 1}
        alone = post(self.server, "/v1/completions", body)[1]["choices"]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            together = list(pool.map(lambda _: post(self.server, "/v1/completions", body)[1]["choices"], range(32)))
        for choices in together:
            self.assertEqual(choices, alone)

    def test_metrics_and_the_page_answer(self):
        for path, needle in (("/metrics", b"feilun_"), ("/", b"<title>feilun"), ("/healthz", b"")):
            with urllib.request.urlopen(self.server.url + path, timeout=10) as reply:
                self.assertIn(needle, reply.read())


def pico_units(text):
    whole, _, fraction = text.partition(".")
    return int(whole) * PICO_PER_UNIT + int(fraction.ljust(12, "0"))


class Starting(unittest.TestCase):
    def serve(self, *flags):
        return subprocess.run([BINARY, "serve", *flags], capture_output=True, text=True, timeout=60)

    def test_a_second_start_keeps_everything(self):
        with tempfile.TemporaryDirectory() as data:
            server = FeilunServer(data=data).start()
            first = server.log()
            self.assertIn("sk-fl-admin-", first)
            self.assertIn("curl ", first)
            post(server, "/v1/chat/completions", {"model": "feilun-nano", "max_tokens": 5,
                                                  "messages": [{"role": "user", "content": "hi"}]})
            before = wait_until_settled(server)
            self.assertEqual(server.stop(), 0)
            server.start()
            self.assertEqual(server.balance(), before)
            self.assertEqual(server.log().count("sk-fl-admin-"), first.count("sk-fl-admin-"))
            server.stop()

    def test_a_busy_port_is_one_clear_sentence(self):
        with socket.create_server(("127.0.0.1", 0)) as taken, tempfile.TemporaryDirectory() as data:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            done = self.serve("--data", data, "--listen", address)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(address, done.stderr)
            self.assertIn("in use", done.stderr)

    def test_a_missing_model_file_is_one_clear_sentence(self):
        with tempfile.TemporaryDirectory() as data:
            done = self.serve("--data", data, "--listen", "127.0.0.1:0", "--model", "x=/no/such.gguf")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("/no/such.gguf", done.stderr)

    def test_two_servers_on_one_directory_are_refused(self):
        with FeilunServer() as server:
            done = self.serve("--data", str(server.data), "--listen", "127.0.0.1:0")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(str(server.data), done.stderr)

    def test_a_wrong_flag_names_itself(self):
        done = self.serve("--ctx", "many")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--ctx", done.stderr)

    def test_sigterm_during_a_stream_ends_it_and_settles(self):
        with FeilunServer() as server:
            connection, response = open_stream(server, "/v1/chat/completions",
                                               {"model": "feilun-nano", "max_tokens": 800, "ignore_eos": True,
                                                "messages": [{"role": "user", "content": "hi"}]})
            next(stream_events(response))
            self.assertEqual(server.stop(signal.SIGTERM), 0)
            connection.close()
            self.assertIn(" 0 open holds", server.run("ledger", "verify"))


if __name__ == "__main__":
    run_tests()
