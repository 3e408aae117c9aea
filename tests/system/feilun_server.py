"""A real feilun for tests: its own data directory, port and keys; stopped at the end.

    with FeilunServer() as server:
        server.url, server.key, server.run("wallet", "credit", …)

As a program it starts a server, sets FEILUN_URL, FEILUN_KEY, FEILUN_POOR_KEY (a project without money),
FEILUN_ADMIN_KEY and runs the command after `--`; its exit status is the command's.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("FEILUN_BINARY", ROOT / "build/release/feilun"))
TESTDATA = pathlib.Path(os.environ.get("FEILUN_TESTDATA", ROOT / "../shared/testdata"))
START_SECONDS_MAX = 60
SKIPPED = 77  # the exit status of a test that did not run


def run_tests():
    """unittest.main() of the program, which says so when all of its tests were skipped. To run none is to fail."""
    result = unittest.main(exit=False).result
    if result.wasSuccessful() and result.skipped and len(result.skipped) >= result.testsRun:
        sys.exit(SKIPPED)
    sys.exit(not (result.wasSuccessful() and result.testsRun))


class FeilunServer:
    """Its port is one that the system chose at the first start: a port picked here could be taken meanwhile."""

    def __init__(self, *flags, models=(), binary=BINARY, data=None):
        self.binary = binary
        self.data = pathlib.Path(data or tempfile.mkdtemp(prefix="feilun-test-"))
        self.owns_data = data is None
        self.port = 0
        self.url = None
        self.flags = [*flags, *(f"--model={model}" for model in models)]
        self.process = None
        self.key = None

    def start(self, until=None):
        """Returns once `until()` holds, by itself when all models are ready."""
        until = until or self.ready
        self.log_path = self.data / "server.log"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}", *self.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not (self.told_port() and until()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"feilun did not start:\n{self.log()}")
            time.sleep(0.02)
        if self.key is None:
            self.key = self.create_key("default")
        return self

    def told_port(self):
        """Whether the server has told where it listens, which it does when its first model answers."""
        told = re.search(r"is ready on (http://127\.0\.0\.1:(\d+))", self.log())
        if told:
            self.url, self.port = told[1], int(told[2])
        return told is not None

    def ready(self):
        try:
            with urllib.request.urlopen(self.url + "/readyz", timeout=2) as reply:
                return reply.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise RuntimeError("feilun did not stop within 30 s of a signal") from None
        return self.process.returncode

    def run(self, *arguments, check=True):
        """Runs `feilun … --data DATA` and returns what it printed."""
        done = subprocess.run([BINARY, *map(str, arguments), "--data", self.data], capture_output=True,
                              text=True, timeout=60)
        if check and done.returncode != 0:
            raise RuntimeError(f"feilun {' '.join(map(str, arguments))} failed: {done.stderr}")
        return done.stdout.strip()

    def create_key(self, project):
        return self.run("key", "create", "--project", project)

    def balance(self, key=None):
        request = urllib.request.Request(self.url + "/feilun/v1/balance",
                                         headers={"Authorization": f"Bearer {key or self.key}"})
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            if self.owns_data:
                shutil.rmtree(self.data, ignore_errors=True)


def main():
    if "--" not in sys.argv:
        sys.exit(__doc__)
    split = sys.argv.index("--")
    with FeilunServer(*sys.argv[1:split]) as server:
        server.run("project", "create", "poor")
        environment = {**os.environ, "FEILUN_URL": server.url, "FEILUN_KEY": server.key,
                       "FEILUN_POOR_KEY": server.create_key("poor"),
                       "FEILUN_ADMIN_KEY": server.run("key", "create", "--admin")}
        status = subprocess.run(sys.argv[split + 1:], env=environment).returncode
        verified = subprocess.run([server.binary, "ledger", "verify", "--data", server.data]).returncode
        if status or verified:
            print(server.log(), file=sys.stderr)
    sys.exit(status or verified)


if __name__ == "__main__":
    main()
