"""The servers of the serving benchmark, each as itself: started, asked for its keys, stopped."""
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RELEASE = ROOT / os.environ.get("FEILUN_BUILD", "build/release")
os.environ["FEILUN_BINARY"] = str(RELEASE / "feilun")
sys.path.insert(0, str(ROOT / "tests/system"))
from feilun_server import FeilunServer  # noqa: E402

MODEL = "bench"
CONTEXT = 2048  # of each of llama-server's slots; a request here has at most about 1,200 tokens


class Feilun:
    """Keys, wallets, metering and the journal on, as always; a tenant is a project with money."""
    name = "feilun"

    def __init__(self, model, threads, clients):
        flags = ["--threads", threads, "--kv-memory", "2G", "--ctx", 4096, "--max-sequences", max(64, clients),
                 "--prefill-chunk", 512, "--log-level", "warn", "--demo-money", 1000]
        self.server = FeilunServer(*map(str, flags), models=[f"{MODEL}={model}"])
        self.about = f"feilun serve {' '.join(map(str, flags))}, metering on"
        self.server.start()
        self.url = self.server.url

    def keys(self, tenants):
        made = []
        for number in range(tenants):
            project = f"tenant-{number}"
            self.server.run("project", "create", project)
            self.server.run("wallet", "credit", "--project", project, "--amount", "1000")
            made.append(self.server.create_key(project))
        return made

    def close(self):
        self.server.__exit__()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class LlamaServer:
    """A slot for each client, so that nobody waits for one; prompts are cached in the slots and in RAM."""
    name = "llama-server"
    START_SECONDS_MAX = 120

    def __init__(self, model, threads, clients):
        subprocess.run([ROOT / "bench/engine/install_llama_cpp.sh", "llama", "llama-server"], check=True)
        binary = os.environ.get("LLAMA_SERVER", ROOT / "build/bench/llama.cpp/build/bin/llama-server")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        flags = ["--threads", threads, "--threads-batch", threads, "--parallel", clients, "--ctx-size",
                 CONTEXT * clients, "--no-kv-unified", "--batch-size", 2048, "--ubatch-size", 512,
                 "--flash-attn", "on", "--cont-batching", "--cache-prompt", "--cache-ram", 8192,
                 *os.environ.get("LLAMA_SERVER_FLAGS", "").split()]
        self.process = subprocess.Popen(
            [binary, "--model", model, "--alias", MODEL, "--port", str(port), *map(str, flags)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        version = subprocess.run([binary, "--version"], capture_output=True, text=True)
        self.about = (f"llama-server {(version.stdout + version.stderr).splitlines()[0]}, built -march=native, "
                      f"{' '.join(map(str, flags))}")
        self.wait_until_ready()

    def wait_until_ready(self):
        deadline = time.monotonic() + self.START_SECONDS_MAX
        while True:
            try:
                with urllib.request.urlopen(self.url + "/health", timeout=2):
                    return
            except (urllib.error.URLError, OSError) as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("llama-server did not start") from error
                time.sleep(0.1)

    def keys(self, tenants):
        return ["-"] * tenants

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


SERVERS = {"feilun": Feilun, "llama-server": LlamaServer}
