"""Those who take part in the engine's benchmark: how each is installed, what it reads, how it is asked.

Each is a process that loads its model once and then answers rows (row.h). While one is asked the others wait on
their standard input and cost nothing.
"""
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build/bench"
MODELS = BUILD / "models"
RELEASE = ROOT / os.environ.get("FEILUN_BUILD", "build/release")
VOCABULARY = pathlib.Path(os.environ.get("FEILUN_TESTDATA", ROOT / "../shared/testdata")) / "tokenizers/qwen2"
# What each of OpenVINO's and CTranslate2's formats stands beside.
FORMATS = {("openvino", "q8_0"): "int8_asym", ("openvino", "q4_0"): "int4_sym_128",
           ("openvino-g32", "q4_0"): "int4_sym_32", ("ctranslate2", "q8_0"): "int8"}


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def install_venv(name):
    subprocess.run([HERE / "install_venv.sh", name], check=True)
    return BUILD.parent / "bench-venvs" / name / "bin/python"


def made(path, command):
    """The path, written first by the command when it is not there."""
    if not path.exists():
        say(f"writing {path.relative_to(ROOT)}")
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([*map(str, command), path], check=True, stdout=subprocess.DEVNULL)
    return path


def gguf_model(shape, type_name):
    if not VOCABULARY.exists():
        sys.exit(f"the benchmark needs Qwen2's vocabulary in {VOCABULARY}")
    path = MODELS / f"{shape}-{type_name}.gguf"
    if path.exists():
        return path
    return made(path, [install_venv("models"), HERE / "make_model.py", shape, type_name, VOCABULARY])


def peer_model(peer, shape, type_name):
    """A directory with the same weights in the peer's own format."""
    family = peer.split("-")[0]
    path = MODELS / f"{family}-{shape}-{FORMATS[peer, type_name]}"
    if path.exists():
        return path
    return made(path, [install_venv(family), HERE / f"{family}_model.py", gguf_model(shape, "f16"),
                       FORMATS[peer, type_name]])


def command_of(name, shape, type_name):
    """What starts a contestant, without threads and steps; None when it has no format beside this type."""
    if name == "feilun":
        return [RELEASE / "bench/engine_bench", gguf_model(shape, type_name)]
    if name == "feilun-w8a8":
        if type_name != "q8_0":
            return None
        return ["env", "FEILUN_QUANT=w8a8", RELEASE / "bench/engine_bench", gguf_model(shape, type_name)]
    if name == "llama.cpp":
        subprocess.run([HERE / "install_llama_cpp.sh"], check=True)
        return [BUILD / "llama.cpp/llama_cpp_bench", gguf_model(shape, type_name)]
    if (name, type_name) not in FORMATS:
        return None
    family = name.split("-")[0]
    return [install_venv(family), HERE / f"{family}_bench.py", peer_model(name, shape, type_name)]


class Contestant:
    def __init__(self, name, command, threads, steps):
        self.name = name
        self.process = subprocess.Popen([*map(str, command), str(threads), str(steps)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.about = self.read()["ready"]

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with status {self.process.wait()}")
        return json.loads(line)

    def ask(self, row):
        """Tokens per second."""
        self.process.stdin.write(row + "\n")
        self.process.stdin.flush()
        return self.read()["tokens_per_second"]

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
