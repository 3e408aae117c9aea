"""A tokenizer.json of one token a letter: just enough for a model's directory to be whole."""

import json
import os

SPECIAL = ("<pad>", "<s>", "</s>")


def letters(count):
    return [*SPECIAL, *(chr(c) for c in range(33, 33 + count - len(SPECIAL)))]


def write(folder, count=64):
    added = [dict(id=i, content=text, special=True, single_word=False, lstrip=False, rstrip=False, normalized=False)
             for i, text in enumerate(SPECIAL)]
    model = dict(type="BPE", vocab={text: i for i, text in enumerate(letters(count))}, merges=[], byte_fallback=False)
    byte_level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    with open(os.path.join(folder, "tokenizer.json"), "w") as out:
        json.dump(dict(version="1.0", added_tokens=added, normalizer=None, pre_tokenizer=byte_level,
                       post_processor=None, decoder=dict(byte_level), model=model), out, separators=(",", ":"))
