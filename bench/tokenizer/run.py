#!/usr/bin/env python3
"""./dev bench tokenizer: megabytes of text encoded per second of processor time, feilun and Hugging Face's
tokenizers interleaved.

Each contestant reads the same vocabularies and the same texts, made of the test data: English prose, Chinese, source
code, and all of them together, in documents of a few pages. The counts of tokens must agree."""
import argparse
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))
import table  # noqa: E402

TESTDATA = pathlib.Path(os.environ.get("FEILUN_TESTDATA", ROOT / "../shared/testdata"))
BUILD = ROOT / "build/bench/tokenizer"
VOCABULARIES = {"qwen2": TESTDATA / "tokenizers/qwen2", "llama": TESTDATA / "tokenizers/gguf-vocab/ggml-vocab-llama-spm.gguf"}
TEXT_BYTES = 5_000_000
DOCUMENT_CHARACTERS = 16_000
SEPARATOR = "\x1e"


def filled(parts):
    """The parts one after the other, again and again, each time differently begun so that no two laps are cut alike."""
    joined = "\n\n".join(parts)
    lap, out, size = 0, [], 0
    while size < TEXT_BYTES:
        piece = f"{lap}. " + joined[lap % 97:]
        out.append(piece)
        size += len(piece.encode())
        lap += 1
    return "".join(out).encode()[:TEXT_BYTES].decode(errors="ignore")


def read(paths):
    return [path.read_text(errors="ignore") for path in paths]


def write_texts(folder):
    folder.mkdir(parents=True, exist_ok=True)
    sources = sorted((ROOT / "src").rglob("*.cc"))[:200] + sorted((TESTDATA / "openapi").glob("*.yaml"))
    chinese = [line for path in sorted(ROOT.glob("models/*/*.json")) + sorted(ROOT.glob("docs/**/*.md"))
               for line in path.read_text(errors="ignore").splitlines() if sum("\u4e00" <= c <= "\u9fff" for c in line) > 8]
    vocabulary = json.loads((VOCABULARIES["qwen2"] / "vocab.json").read_text())
    alphabet = byte_alphabet()
    words = [bytes(alphabet[c] for c in word).decode(errors="ignore") for word in vocabulary]
    words = [word for word in words if word and all("\u4e00" <= c <= "\u9fff" for c in word)]
    # Words of the vocabulary in a fixed order that is not its own, with punctuation: text-like, if not sense.
    sentence = "".join(words[i * 7919 % len(words)] + ("，" if i % 9 == 8 else "。\n" if i % 31 == 30 else "") for i in range(60000))
    english = read(sorted(ROOT.glob("docs/**/*.md")) + sorted(ROOT.glob("*.md")) + sorted((TESTDATA / "models").glob("*/expected*.txt"))
                   + sorted(TESTDATA.glob("**/LICENSE")))
    code = read(sources)
    texts = {"english": filled(english), "chinese": filled(chinese + [sentence]), "code": filled(code)}
    third = TEXT_BYTES // 3
    texts["mixed"] = "\n".join(part.encode()[:third].decode(errors="ignore") for part in texts.values())
    for name, text in texts.items():
        text = text.replace(SEPARATOR, "")
        documents = [text[at:at + DOCUMENT_CHARACTERS] for at in range(0, len(text), DOCUMENT_CHARACTERS)]
        (folder / name).write_text(SEPARATOR.join(documents), newline="")


def byte_alphabet():
    """GPT-2's printable character of each byte, the other way round."""
    prints = [b for b in range(256) if 0x21 <= b <= 0x7e or 0xa1 <= b <= 0xac or b >= 0xae]
    others = [b for b in range(256) if b not in prints]
    return {chr(b): b for b in prints} | {chr(0x100 + i): b for i, b in enumerate(others)}


def contestants(program, peer, name, path, folder, seconds):
    yield "feilun", [program, path, folder, str(seconds)]
    yield peer, [sys.executable, HERE / "hugging_face.py", name, path, folder, str(seconds)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", help="write the rows to this file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each text and contestant")
    parser.add_argument("--program", default=ROOT / "build/release/bench/tokenizer_bench", help="feilun's side")
    options = parser.parse_args()
    for path in VOCABULARIES.values():
        if not path.exists():
            sys.exit(f"the benchmark needs {path}")
    folder = BUILD / "texts"
    write_texts(folder)
    version = subprocess.run([sys.executable, "-c", "import tokenizers; print(tokenizers.__version__)"], check=True,
                             capture_output=True, text=True).stdout.strip()
    peer = f"tokenizers {version}"
    rounds = table.Rounds()
    counts = {}
    for round_number in range(1, options.rounds + 1):
        for name, path in VOCABULARIES.items():
            for contestant, command in contestants(options.program, peer, name, path, folder, options.seconds):
                print(f"round {round_number}: {contestant} {name}", file=sys.stderr)
                output = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True,
                                        env={**os.environ, "TOKENIZERS_PARALLELISM": "false"}).stdout
                for line in output.splitlines():
                    row = json.loads(line)
                    rounds.add(contestant, f"{name} {row['text']}", row["megabytes_per_second"])
                    counts.setdefault((name, row["text"]), set()).add(row["tokens"])
    differing = {key: found for key, found in counts.items() if len(found) != 1}
    if differing:
        sys.exit(f"the contestants do not agree on the tokens: {differing}")
    print(f"one thread, processor time, {TEXT_BYTES / 1e6:.0f} MB a text, {options.rounds} interleaved rounds, medians")
    table.report(rounds.rows("MB/s", peer), options.json)


if __name__ == "__main__":
    main()
