"""Models that are still being loaded, beside one that answers already."""
import json
import pathlib
import shutil
import struct
import tempfile
import unittest
import urllib.error
import urllib.request

from feilun_server import ROOT, FeilunServer

HIDDEN, FEED_FORWARD, LAYERS, VOCABULARY, HEADS, HEAD_WIDTH = 2048, 8192, 12, 64, 16, 128


def tensor_shapes():
    yield "model.embed_tokens.weight", [VOCABULARY, HIDDEN]
    yield "lm_head.weight", [VOCABULARY, HIDDEN]
    yield "model.norm.weight", [HIDDEN]
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            yield f"{prefix}{norm}.weight", [HIDDEN]
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            yield f"{prefix}self_attn.{name}.weight", [HIDDEN, HIDDEN]
        for name in ("gate_proj", "up_proj"):
            yield f"{prefix}mlp.{name}.weight", [FEED_FORWARD, HIDDEN]
        yield f"{prefix}mlp.down_proj.weight", [HIDDEN, FEED_FORWARD]


def write_large_model(folder):
    """A llama of 1.6 GB whose weights are all zero, a file of holes: it takes a second or more to load."""
    small = ROOT / "tests/golden/models/llama"
    for name in ("tokenizer.json", "generation_config.json"):
        shutil.copy(small / name, folder)
    config = json.loads((small / "config.json").read_text())
    config |= {"hidden_size": HIDDEN, "intermediate_size": FEED_FORWARD, "num_hidden_layers": LAYERS,
               "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "head_dim": HEAD_WIDTH}
    (folder / "config.json").write_text(json.dumps(config))
    header, end = {}, 0
    for name, shape in tensor_shapes():
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    head = json.dumps(header).encode()
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        file.truncate(8 + len(head) + end)


def complete(server, model):
    """The status of a request for one token, and its headers."""
    body = json.dumps({"model": model, "prompt": "ABC", "max_tokens": 1}).encode()
    request = urllib.request.Request(server.url + "/v1/completions", body,
                                     {"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers


class Loading(unittest.TestCase):
    def test_the_first_model_answers_while_the_second_is_loaded(self):
        with tempfile.TemporaryDirectory() as folder:
            write_large_model(pathlib.Path(folder))
            server = FeilunServer(models=["first=builtin", f"second={folder}"])
            server.start(until=lambda: "is ready on" in server.log())
            try:
                self.assertFalse(server.ready(), "the second model was loaded before anything could be asked")
                status, headers = complete(server, "second")
                self.assertEqual(status, 503)
                self.assertGreaterEqual(int(headers["Retry-After"]), 1)
                answered_meanwhile = 0
                while not server.ready():
                    self.assertEqual(complete(server, "first")[0], 200)
                    answered_meanwhile += 1
                self.assertGreater(answered_meanwhile, 0)
                self.assertEqual(complete(server, "second")[0], 200)
            finally:
                server.stop()
                shutil.rmtree(server.data)


if __name__ == "__main__":
    unittest.main(verbosity=2)
