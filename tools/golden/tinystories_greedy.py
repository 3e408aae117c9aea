#!/usr/bin/env python3
"""Greedy continuations of the tinystories-656K model by transformers, in F32.

For each prompt: its text, its ids (with BOS), the 200 next ids (an end token does not stop it), and the steps at
which the two best logits are closer than 1e-4, where another order of summation may choose otherwise.
"""
import json
import pathlib
import sys

import tokenizers
import torch
import transformers

PROMPTS = [
    "Once upon a time", "One day, a little girl named Lily", "There was a boy named Tom.", "The dog ran",
    "Tim and Mia went to the park.", "She was very sad", "The big red ball", "\"Hello,\" said the cat.",
    "It was a sunny day and", "Mom said", "He wanted to", "They saw a big bird in the tree.", "The sun was",
    "In the forest there lived a bear.", "A", "The end.", "Lily's toy was lost, so she looked for it",
    "\n", "Do you like cake?", "The little fish swam in the sea. He was happy because",
]
STEPS = 200


def greedy(model, ids):
    out, near = [], []
    cache, tokens = None, torch.tensor([ids])
    for step in range(STEPS):
        result = model(tokens, past_key_values=cache, use_cache=True)
        cache = result.past_key_values
        top = torch.topk(result.logits[0, -1], 2)
        if (top.values[0] - top.values[1]).item() < 1e-4:
            near.append(step)
        out.append(top.indices[0].item())
        tokens = torch.tensor([[out[-1]]])
    return out, near


def main():
    testdata, golden = map(pathlib.Path, sys.argv[1:3])
    folder = testdata / "models/tinystories-656K"
    torch.set_num_threads(1)
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = transformers.LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    model.eval()
    cases = []
    with torch.no_grad():
        for prompt in PROMPTS:
            ids = tokenizer.encode(prompt).ids
            output, near = greedy(model, ids)
            cases.append({"prompt": prompt, "prompt_ids": ids, "output_ids": output, "near_ties": near})
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    (golden / "tinystories_greedy.json").write_text(f"[\n{lines}\n]\n")


main()
