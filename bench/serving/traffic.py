"""The requests of the serving benchmark, written for serving_load: reproducible, and long by a known number of tokens.

A prompt is made of whole words that are one token each in Qwen2's vocabulary, so that its length in tokens is the
number of its words for every server.
"""
import json
import random
import re


def single_token_words(vocabulary_directory):
    """Words that follow a space ("Ġ" in the file), of letters alone."""
    vocabulary = json.loads((vocabulary_directory / "vocab.json").read_text())
    return sorted(token[1:] for token in vocabulary if re.fullmatch("Ġ[a-z]{4,9}", token))


class Traffic:
    def __init__(self, vocabulary_directory, model, seed=1):
        self.words = single_token_words(vocabulary_directory)
        self.random = random.Random(seed)
        self.model = model

    def text(self, tokens, seed=None):
        source = self.random if seed is None else random.Random(seed)
        return "".join(" " + word for word in source.choices(self.words, k=tokens))

    def body(self, prompt, tokens, **sampling):
        return json.dumps({"model": self.model, "prompt": prompt, "max_tokens": tokens, "stream": True,
                           "stream_options": {"include_usage": True}, "ignore_eos": True,
                           **(sampling or {"temperature": 0})})

    def streams(self, path, clients, keys, prompt_tokens, tokens, **sampling):
        """One request a client, no two prompts alike."""
        with open(path, "w") as file:
            for client in range(clients):
                file.write(f"{client}\t{keys[0]}\t{self.body(self.text(prompt_tokens), tokens, **sampling)}\n")

    def tenants(self, path, clients, keys, prompt_tokens, question_tokens, requests, tokens):
        """Clients of len(keys) tenants; each tenant's requests begin with its own system prompt."""
        with open(path, "w") as file:
            for client in range(clients):
                tenant = client % len(keys)
                system = self.text(prompt_tokens, seed=f"tenant {tenant}")
                for _ in range(requests):
                    prompt = system + self.text(question_tokens)
                    file.write(f"{client}\t{keys[tenant]}\t{self.body(prompt, tokens)}\n")
