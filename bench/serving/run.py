#!/usr/bin/env python3
"""./dev bench serving: whole servers over HTTP, in turns with each other and with feilun's engine alone.

    greedy, sampled   32 streaming clients, prompts of 64 tokens, tokens/s while all 32 are served;
                      and feilun's as a share of its engine without HTTP, JSON and metering
    tenants           8 tenants with a system prompt of 1,000 tokens each, 32 clients, 128 tokens out: goodput,
                      tokens/s of the requests that keep TTFT ≤ 2 s and a mean time between tokens ≤ 200 ms
"""
import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "engine")]
import table  # noqa: E402
from contestants import VOCABULARY, Contestant, command_of, gguf_model, say  # noqa: E402
from servers import MODEL, RELEASE, SERVERS  # noqa: E402
from shapes import SHAPES  # noqa: E402
from traffic import Traffic  # noqa: E402

ROWS = ["greedy", "sampled", "tenants"]
SAMPLING = {"greedy": {}, "sampled": {"temperature": 0.7, "top_p": 0.9, "seed": 7}}
PROMPT_TOKENS, OUTPUT_TOKENS, ENGINE_STEPS = 64, 160, 96
TENANTS, SYSTEM_TOKENS, QUESTION_TOKENS, ANSWER_TOKENS = 8, 1000, 32, 128
TTFT_SECONDS, INTER_TOKEN_SECONDS = 2.0, 0.2


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="qwen2.5-0.5b")
    parser.add_argument("--type", default="q8_0", choices=["q8_0", "q4_0"])
    parser.add_argument("--peers", default="llama-server", help="llama-server, or nothing: ''")
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--requests", type=int, default=2, help="of each client in a round of tenants")
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--json", help="write the figures to this file, after each row again")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 1
    return options


class Bench:
    def __init__(self, options, servers, engine):
        self.options, self.servers, self.engine = options, servers, engine
        self.traffic = Traffic(VOCABULARY, MODEL)
        self.requests = pathlib.Path(tempfile.mkdtemp(prefix="feilun-serving-")) / "requests"
        self.keys = {server.name: server.keys(TENANTS) for server in servers}
        self.figures = table.Rounds()
        self.details = []
        self.about = [server.about for server in servers]

    def load(self, server, row, *bounds):
        done = subprocess.run([RELEASE / "bench/serving_load", server.url, self.requests, *map(str, bounds)],
                              check=True, stdout=subprocess.PIPE, text=True)
        result = json.loads(done.stdout)
        self.details.append({"row": row, "server": server.name, **result})
        say(f"{row}: {server.name} {result}")
        return result

    def streams(self, row):
        rates = {}
        if self.engine:
            rates["engine alone"] = self.engine.ask(f"decode:{self.options.clients}")
        for server in self.servers:
            self.traffic.streams(self.requests, self.options.clients, self.keys[server.name], PROMPT_TOKENS,
                                 OUTPUT_TOKENS, **SAMPLING[row])
            rates[server.name] = self.load(server, row)["full_rate"]
        for name, rate in rates.items():
            self.figures.add(name, f"{row}, {self.options.clients} clients, tokens/s", rate)
        if self.engine:
            share = 100 * rates["feilun"] / rates["engine alone"]
            self.figures.add("feilun", f"{row}, share of the engine alone, %", share)

    def tenants(self, row, requests):
        for server in self.servers:
            self.traffic.tenants(self.requests, self.options.clients, self.keys[server.name], SYSTEM_TOKENS,
                                 QUESTION_TOKENS, requests, ANSWER_TOKENS if row == "tenants" else 2)
            result = self.load(server, row, TTFT_SECONDS, INTER_TOKEN_SECONDS)
            if row != "tenants":
                continue
            self.figures.add(server.name, "tenants, goodput, tokens/s", result["goodput"])
            self.figures.add(server.name, "tenants, all tokens/s", result["rate"])
            for name in ("ttft_median", "ttft_p95", "inter_token_median", "inter_token_p95"):
                self.figures.add(server.name, f"tenants, {name.replace('_', ' ')}, ms", 1000 * result[name])

    def round(self, number):
        for row in self.options.rows:
            say(f"round {number}: {row}")
            if row in SAMPLING:
                self.streams(row)
            else:
                # Every client has been served once before the first round, which fills the prompt caches.
                if number == 1:
                    self.tenants("warming up", 1)
                self.tenants("tenants", self.options.requests)
            table.write_all(self.figures, self.options.json, details=self.details, about=self.about)
        self.servers.reverse()  # whoever was second begins the next round


def main():
    options = arguments()
    model = gguf_model(options.shape, options.type)
    names = ["feilun", *filter(None, options.peers.split(","))]
    with contextlib.ExitStack() as running:
        servers = [running.enter_context(contextlib.closing(SERVERS[name](model, options.threads, options.clients)))
                   for name in names]
        engine = None
        if set(options.rows) & set(SAMPLING):
            command = command_of("feilun", options.shape, options.type)
            engine = running.enter_context(
                contextlib.closing(Contestant("engine", command, options.threads, ENGINE_STEPS)))
        bench = Bench(options, servers, engine)
        for number in range(1, options.rounds + 1):
            bench.round(number)
    print(f"{options.shape} {options.type}, {options.threads} threads, {options.rounds} interleaved rounds, medians")
    print("".join(f"- {about}\n" for about in bench.about))
    table.print_all(bench.figures)


if __name__ == "__main__":
    main()
