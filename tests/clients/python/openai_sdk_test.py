"""The official OpenAI SDK for Python against a running feilun (tests/system/feilun_server.py starts it)."""
import asyncio
import json
import os
import threading
import time
import unittest
import urllib.request

import openai

URL = os.environ["FEILUN_URL"]
MODEL = "feilun-nano"
QUESTION = [{"role": "user", "content": "What is feilun?"}]


def client(key=None, **options):
    return openai.OpenAI(base_url=URL + "/v1", api_key=key or os.environ["FEILUN_KEY"], timeout=60, **options)


def balance():
    request = urllib.request.Request(URL + "/feilun/v1/balance",
                                     headers={"Authorization": "Bearer " + os.environ["FEILUN_KEY"]})
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def ask(sdk=None, **options):
    options = {"model": MODEL, "messages": QUESTION, "max_tokens": 40, "temperature": 0, **options}
    return (sdk or client()).chat.completions.create(**options)


def streamed_text(stream):
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


class Chat(unittest.TestCase):
    def test_a_reply_has_text_finish_reason_and_usage(self):
        reply = ask()
        self.assertTrue(reply.id.startswith("chatcmpl-"))
        self.assertEqual(reply.object, "chat.completion")
        self.assertEqual(reply.choices[0].message.role, "assistant")
        self.assertTrue(reply.choices[0].message.content)
        self.assertIn(reply.choices[0].finish_reason, ("stop", "length"))
        self.assertEqual(reply.usage.total_tokens, reply.usage.prompt_tokens + reply.usage.completion_tokens)
        self.assertGreater(reply.usage.prompt_tokens, 3)

    def test_a_stream_says_the_same_as_a_reply(self):
        self.assertEqual(streamed_text(ask(stream=True)), ask().choices[0].message.content)

    def test_the_last_chunk_of_a_stream_carries_the_usage_when_asked(self):
        chunks = list(ask(stream=True, stream_options={"include_usage": True}))
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual(chunks[-1].usage.model_dump(), {**ask().usage.model_dump()})
        self.assertTrue(all(chunk.usage is None for chunk in chunks[:-1]))
        self.assertIsNone(list(ask(stream=True))[-1].usage)

    def test_the_typed_stream_helper_works(self):
        with client().chat.completions.stream(model=MODEL, messages=QUESTION, temperature=0) as stream:
            for _ in stream:
                pass
            final = stream.get_final_completion()
        self.assertTrue(final.choices[0].message.content)

    def test_max_tokens_ends_with_length(self):
        for name in ("max_tokens", "max_completion_tokens"):
            options = {"max_tokens": openai.omit, name: 3}
            reply = ask(**options)
            self.assertEqual(reply.usage.completion_tokens, 3)
            self.assertEqual(reply.choices[0].finish_reason, "length")

    def test_a_stop_string_ends_the_text_before_it(self):
        whole = ask().choices[0].message.content
        stop = whole[4:9]
        for text in (ask(stop=stop).choices[0].message.content, streamed_text(ask(stop=[stop, "zzz"], stream=True))):
            self.assertEqual(text, whole[:whole.index(stop)])

    def test_n_choices_are_billed_one_prompt(self):
        one, three = ask(), ask(n=3, temperature=1, seed=5)
        self.assertEqual([choice.index for choice in three.choices], [0, 1, 2])
        self.assertGreater(len({choice.message.content for choice in three.choices}), 1)
        self.assertEqual(three.usage.prompt_tokens, one.usage.prompt_tokens)

    def test_n_choices_stream_side_by_side(self):
        texts = ["", ""]
        for chunk in ask(n=2, temperature=1, seed=5, stream=True):
            for choice in chunk.choices:
                texts[choice.index] += choice.delta.content or ""
        whole = ask(n=2, temperature=1, seed=5)
        self.assertEqual(texts, [choice.message.content for choice in whole.choices])

    def test_logprobs_explain_each_token(self):
        reply = ask(logprobs=True, top_logprobs=3)
        content = reply.choices[0].logprobs.content
        self.assertEqual(b"".join(bytes(token.bytes) for token in content).decode(), reply.choices[0].message.content)
        for token in content:
            self.assertLessEqual(token.logprob, 0)
            self.assertEqual(len(token.top_logprobs), 3)
            self.assertAlmostEqual(token.top_logprobs[0].logprob, token.logprob)
        streamed = [token for chunk in ask(logprobs=True, top_logprobs=3, stream=True) for choice in chunk.choices
                    if choice.logprobs for token in choice.logprobs.content]
        self.assertEqual(streamed, content)

    def test_a_seed_repeats_an_answer(self):
        def sample(seed):
            return ask(temperature=1.5, seed=seed, max_tokens=30).choices[0].message.content
        self.assertEqual(sample(7), sample(7))
        self.assertGreater(len({sample(seed) for seed in range(4)}), 1)

    def test_penalties_and_bias_change_the_answer(self):
        plain = ask(logprobs=True)
        self.assertNotEqual(ask(presence_penalty=2, frequency_penalty=2).choices[0].message.content, None)
        completion = client().completions.create(model=MODEL, prompt="Once", max_tokens=5, temperature=0,
                                                 logit_bias={"100": 100})
        self.assertEqual(completion.usage.completion_tokens, 5)
        forbidden = plain.choices[0].logprobs.content[0].token
        self.assertTrue(forbidden)

    def test_content_may_come_in_parts(self):
        parts = [{"role": "user", "content": [{"type": "text", "text": "What is"}, {"type": "text", "text": " feilun?"}]}]
        self.assertTrue(ask(messages=parts).choices[0].message.content)

    def test_chinese_streams_whole_code_points(self):
        text = streamed_text(ask(messages=[{"role": "user", "content": "什么是飞轮?"}], stream=True))
        self.assertNotIn("\ufffd", text)
        self.assertTrue(text)

    def test_twenty_at_once_all_get_their_answer(self):
        expected = ask().choices[0].message.content

        async def all_at_once():
            sdk = openai.AsyncOpenAI(base_url=URL + "/v1", api_key=os.environ["FEILUN_KEY"])
            replies = await asyncio.gather(*(sdk.chat.completions.create(
                model=MODEL, messages=QUESTION, max_tokens=40, temperature=0) for _ in range(20)))
            return {reply.choices[0].message.content for reply in replies}

        self.assertEqual(asyncio.run(all_at_once()), {expected})


class OtherEndpoints(unittest.TestCase):
    def test_completions_continue_a_text(self):
        reply = client().completions.create(model=MODEL, prompt="Once upon a time", max_tokens=8, temperature=0)
        self.assertEqual(reply.object, "text_completion")
        self.assertTrue(reply.choices[0].text)
        stream = client().completions.create(model=MODEL, prompt="Once upon a time", max_tokens=8, temperature=0,
                                             stream=True)
        self.assertEqual("".join(chunk.choices[0].text for chunk in stream if chunk.choices), reply.choices[0].text)

    def test_models_are_listed_and_found(self):
        self.assertIn(MODEL, [model.id for model in client().models.list()])
        self.assertEqual(client().models.retrieve(MODEL).id, MODEL)
        with self.assertRaises(openai.NotFoundError):
            client().models.retrieve("nothing")


class Errors(unittest.TestCase):
    def test_each_mistake_has_its_exception(self):
        with self.assertRaises(openai.AuthenticationError):
            ask(client("sk-fl-wrong"))
        with self.assertRaises(openai.NotFoundError) as missing:
            ask(model="nothing")
        self.assertEqual(missing.exception.code, "model_not_found")
        with self.assertRaises(openai.BadRequestError) as wrong:
            ask(temperature="hot")
        self.assertEqual(wrong.exception.param, "temperature")
        self.assertTrue(wrong.exception.request_id)

    def test_a_prompt_beyond_the_window_says_both_numbers(self):
        with self.assertRaises(openai.BadRequestError) as long:
            ask(messages=[{"role": "user", "content": "word " * 5000}])
        self.assertEqual(long.exception.code, "context_length_exceeded")
        self.assertRegex(long.exception.message, r"\d+.*\d+")

    def test_what_is_not_supported_is_refused_by_name(self):
        tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
        for field, value in {"tools": [tool], "response_format": {"type": "json_object"}}.items():
            with self.assertRaises(openai.BadRequestError) as refused:
                ask(**{field: value})
            self.assertIn(field, refused.exception.message)

    def test_no_money_is_insufficient_quota_and_not_retried(self):
        started = time.monotonic()
        with self.assertRaises(openai.RateLimitError) as poor:
            ask(client(os.environ["FEILUN_POOR_KEY"], max_retries=5))
        self.assertEqual(poor.exception.code, "insufficient_quota")
        self.assertEqual(poor.exception.response.headers["x-should-retry"], "false")
        self.assertLess(time.monotonic() - started, 5)

    def test_the_sdk_retries_when_a_connection_breaks(self):
        broken = BrokenOnceProxy()
        sdk = openai.OpenAI(base_url=broken.url, api_key=os.environ["FEILUN_KEY"], max_retries=2)
        self.assertTrue(ask(sdk).choices[0].message.content)
        self.assertGreaterEqual(broken.connections, 2)

    def test_leaving_a_stream_stops_generation_and_charges_what_was_made(self):
        before = balance()["usage"]["output_tokens"]
        stream = ask(stream=True, max_tokens=400, extra_body={"ignore_eos": True})
        seen = 0
        for chunk in stream:
            seen += 1
            if seen == 5:
                break
        stream.close()
        deadline = time.monotonic() + 10
        while balance()["held"] != "0.00" and time.monotonic() < deadline:
            time.sleep(0.05)
        charged = balance()["usage"]["output_tokens"] - before
        self.assertGreaterEqual(charged, seen - 1)
        self.assertLess(charged, 100)


class BrokenOnceProxy:
    """Passes connections on to the server, but drops the first at once."""

    def __init__(self):
        import socket
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"
        self.target = ("127.0.0.1", int(URL.rsplit(":", 1)[1]))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        import socket
        while True:
            near, _ = self.listener.accept()
            self.connections += 1
            if self.connections == 1:
                near.close()
                continue
            far = socket.create_connection(self.target)
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    @staticmethod
    def pump(source, sink):
        while data := source.recv(65536):
            sink.sendall(data)


class IdempotencyKeys(unittest.TestCase):
    def headers(self):
        return {"Idempotency-Key": f"{self.id()}-{time.time_ns()}"}

    def test_the_same_again_is_replayed_and_not_charged(self):
        headers = self.headers()
        first = ask(temperature=1, extra_headers=headers)
        before = balance()
        again = ask(temperature=1, extra_headers=headers)
        self.assertEqual(again.model_dump(), first.model_dump())
        self.assertEqual(balance()["posted"], before["posted"])
        self.assertEqual(balance()["usage"]["requests"], before["usage"]["requests"])

    def test_a_stream_is_replayed_as_a_stream(self):
        headers = self.headers()
        first, again = [], []
        first.extend(chunk.model_dump() for chunk in ask(stream=True, temperature=1, extra_headers=headers))
        before = balance()["posted"]
        again.extend(chunk.model_dump() for chunk in ask(stream=True, temperature=1, extra_headers=headers))
        self.assertEqual(again, first)
        self.assertEqual(balance()["posted"], before)

    def test_another_body_is_refused(self):
        headers = self.headers()
        ask(extra_headers=headers)
        with self.assertRaises(openai.UnprocessableEntityError) as raised:
            ask(extra_headers=headers, max_tokens=41)
        self.assertEqual(raised.exception.code, "idempotency_key_reused")

    def test_the_sdk_waits_for_a_request_that_is_still_running(self):
        headers = self.headers()
        replies = []
        others = [threading.Thread(target=lambda: replies.append(
            ask(client(max_retries=10), temperature=1, max_tokens=400, extra_headers=headers))) for _ in range(3)]
        before = balance()["usage"]["requests"]
        for other in others:
            other.start()
        for other in others:
            other.join()
        self.assertEqual(len(replies), 3)
        self.assertEqual([reply.id for reply in replies], [replies[0].id] * 3)
        self.assertEqual(balance()["usage"]["requests"], before + 1)


if __name__ == "__main__":
    unittest.main(verbosity=1)
