"""`feilun model …` on the small models of tests/golden/models, as an operator meets it."""
import json
import pathlib
import subprocess
import tempfile
import unittest

from feilun_server import BINARY, ROOT

MODELS = ROOT / "tests/golden/models"


def model(*arguments):
    return subprocess.run([BINARY, "model", *map(str, arguments)], capture_output=True, text=True, timeout=120)


class ModelCommands(unittest.TestCase):
    def test_inspect_tells_what_each_model_is_and_that_it_loads(self):
        for path, family, answers in [(MODELS / "gemma2", "gemma2", "completions"), (MODELS / "qwen3moe.gguf", "qwen3moe", "completions"),
                                      (MODELS / "tiny-bert", "bert", "vectors"), ("builtin", "qwen3", "chat")]:
            with self.subTest(path):
                told = dict(line.split(maxsplit=1) for line in model("inspect", path).stdout.splitlines())
                self.assertEqual(told["family"], family)
                self.assertEqual(told["loads"], "yes")
                self.assertIn(answers, told["answers"])

    def test_inspect_says_why_a_model_would_be_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder)
            for file in (MODELS / "llama").iterdir():
                (copy / file.name).write_bytes(file.read_bytes())
            config = json.loads((copy / "config.json").read_text())
            config["architectures"] = ["MambaForCausalLM"]
            (copy / "config.json").write_text(json.dumps(config))
            done = model("inspect", copy)
            self.assertIn("Mamba", done.stdout + done.stderr)

    def test_check_passes_a_model_that_is_whole(self):
        for path in ["builtin", MODELS / "qwen3moe"]:
            done = model("check", path)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("passed", done.stdout)

    def test_check_fails_against_answers_that_are_not_the_models(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as goldens:
            answer = {"position": 2, "largest": 9, "log_sum": 9, "top_ids": [7], "top_logits": [9.0], "sampled_logits": []}
            json.dump({"sampled_ids": [], "prompts": [{"tokens": [1, 2, 3], "prompt": 3, "answers": [answer]}]}, goldens)
            goldens.flush()
            done = model("check", MODELS / "llama", "--against", goldens.name)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("failed", done.stderr)

    def test_check_of_a_model_that_embeds_says_so(self):
        done = model("check", MODELS / "tiny-bert")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("vectors", done.stderr)

    def test_convert_writes_a_gguf_that_is_the_same_model(self):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "glm4.gguf"
            self.assertEqual(model("convert", MODELS / "glm4", "--out", out).returncode, 0)
            self.assertIn("glm4", model("inspect", out).stdout)
            self.assertEqual(model("check", out).returncode, 0)


if __name__ == "__main__":
    unittest.main()
