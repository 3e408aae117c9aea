"""Chat with the model file in the terminal. An empty line ends it."""

import argparse
from pathlib import Path

from corpus import MODEL_DIR
from evaluate import answer
from load_gguf import load

if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--gguf", type=Path, default=MODEL_DIR / "feilun-nano.gguf")
    p.add_argument("--system", help="a system prompt")
    a = p.parse_args()
    model, chat, _ = load(a.gguf)
    messages = [{"role": "system", "content": a.system}] if a.system else []
    while said := input("> ").strip():
        messages.append({"role": "user", "content": said})
        messages.append({"role": "assistant", "content": answer(model, chat, messages)})
        print(messages[-1]["content"])
