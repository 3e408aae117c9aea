"""Kills of a whole server under load, each losing every write that was not yet synced.

The server under test keeps unsynced writes in its own memory (the ledger's lossy VFS), so that a SIGKILL loses
what a power cut would. Each client has a project of its own and one request at a time, so that what a project was
charged can be compared with what its client received:

  no acknowledged charge lost   charged ≥ Σ finished requests
  a crash loses at most N       received − charged ≤ N
  nothing is invented           charged ≤ received + the stream window

A run that served next to nothing shows nothing: there are floors under what its clients received.
"""
import argparse
import http.client
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from feilun_server import BINARY, SKIPPED, TESTDATA, FeilunServer  # noqa: E402

CLIENTS = 6
MARK_INTERVAL = 32
STREAM_WINDOW = 2
FINISHED_MIN = 100  # tokens a kill, of all clients, on average; a healthy run has 1,600
PARTIAL_MIN = 50    # and here 800
STORIES = TESTDATA / "models/stories260K"


class Client(threading.Thread):
    """Streams one request after another until the server dies."""

    def __init__(self, port, key, seed):
        super().__init__(daemon=True)
        self.port, self.key = port, key
        self.random = random.Random(seed)
        self.finished = 0  # output tokens of requests whose last chunk came
        self.partial = 0   # output tokens received of the request that the kill cut
        self.error = None  # anything but the end of the connection

    def run(self):
        try:
            while True:
                self.stream(self.random.choice((1, 5, 40, 150, 400)))
        except (OSError, http.client.HTTPException):
            pass
        except Exception as error:
            self.error = error

    def finish(self):
        self.join(60)
        assert not self.is_alive(), "a client still waits for the server that was killed"
        if self.error:
            raise self.error

    def stream(self, max_tokens):
        self.partial = 0
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        body = {"model": "stories", "prompt": "Lily", "max_tokens": max_tokens, "ignore_eos": True, "logprobs": 0,
                "stream": True, "stream_options": {"include_usage": True}}
        connection.request("POST", "/v1/completions", json.dumps(body),
                           {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise AssertionError(response.read())
        done = False
        for line in response:
            if line.strip() == b"data: [DONE]":
                done = True
            elif line.startswith(b"data: ") and line.endswith(b"\n"):
                event = json.loads(line[6:])
                self.partial += sum(len(choice["logprobs"]["tokens"]) for choice in event["choices"]
                                    if choice.get("logprobs"))
        connection.close()
        if not done:
            raise http.client.HTTPException("cut")
        assert self.partial == max_tokens, (self.partial, max_tokens)
        self.finished += self.partial
        self.partial = 0


def charged_tokens(server, key):
    return server.balance(key)["usage"]["output_tokens"]


def one_kill(server, keys, rng):
    """Returns the verifier's words and the clients' sums: tokens finished, partial, and the most that one lost."""
    before = [charged_tokens(server, key) for key in keys]
    clients = [Client(server.port, key, rng.random()) for key in keys]
    for client in clients:
        client.start()
    time.sleep(rng.uniform(0.005, 0.25))
    server.stop(signal.SIGKILL)
    for client in clients:
        client.finish()
    report = server.run("ledger", "verify")
    server.start()
    lost = 0
    for client, key, old in zip(clients, keys, before):
        charged = charged_tokens(server, key) - old
        received = client.finished + client.partial
        numbers = f"finished {client.finished}, partial {client.partial}, charged {charged}"
        assert charged >= client.finished, f"an acknowledged charge is lost: {numbers}"
        assert received - charged <= MARK_INTERVAL, f"more than {MARK_INTERVAL} tokens are lost: {numbers}"
        assert charged <= received + STREAM_WINDOW, f"charged for what was never made: {numbers}"
        assert server.balance(key)["held"] == "0.00", "a hold leaked"
        lost = max(lost, received - charged)
    return report, sum(client.finished for client in clients), sum(client.partial for client in clients), lost


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not STORIES.exists():
        print(f"test data absent: {STORIES}")
        sys.exit(SKIPPED)
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as directory:
        gguf = pathlib.Path(directory) / "stories.gguf"
        subprocess.run([BINARY, "model", "convert", STORIES / "stories260K.bin", "--tokenizer",
                        STORIES / "tok512.bin", "--out", gguf], check=True, capture_output=True)
        server = FeilunServer("--mark-interval", str(MARK_INTERVAL), "--stream-window", str(STREAM_WINDOW),
                              models=[f"stories={gguf}"], data=directory,
                              binary=os.environ["FEILUN_CRASH_SERVER"])
        keys = []
        for index in range(CLIENTS):
            server.run("project", "create", f"client{index}")
            server.run("wallet", "credit", "--project", f"client{index}", "--amount", "1000", "--currency", "CNY")
            keys.append(server.create_key(f"client{index}"))
        server.start()
        finished = partial = worst = 0
        for kill in range(options.kills):
            try:
                report, ended, cut, lost = one_kill(server, keys, rng)
            except BaseException:
                print(f"kill {kill + 1} of seed {options.seed}:\n{server.log()[-4000:]}", file=sys.stderr)
                raise
            finished, partial, worst = finished + ended, partial + cut, max(worst, lost)
        server.stop()
    print(f"{options.kills} kills; {finished} tokens of finished requests, {partial} of cut ones; "
          f"at most {worst} tokens of a request lost; {report}")
    assert finished >= FINISHED_MIN * options.kills, "too little was finished"
    assert partial >= PARTIAL_MIN * options.kills, "too little was cut"


if __name__ == "__main__":
    main()
