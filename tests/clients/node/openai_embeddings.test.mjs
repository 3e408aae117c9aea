// client.embeddings of the official OpenAI SDK for Node against a running feilun that serves tests/golden's small
// BERT as tiny-bert (tests/system/feilun_server.py starts it).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import OpenAI from "openai";

const model = "tiny-bert";
const golden = JSON.parse(readFileSync(new URL("../../golden/embeddings.json", import.meta.url)))[model];
const client = (key = process.env.FEILUN_KEY, options = {}) =>
  new OpenAI({ baseURL: process.env.FEILUN_URL + "/v1", apiKey: key, timeout: 60_000, ...options });
const embed = (input, more = {}, sdk = client()) => sdk.embeddings.create({ model, input, ...more });

test("vectors are those of sentence-transformers", async () => {
  const reply = await embed(golden.map((one) => one.text));
  assert.equal(reply.data.length, golden.length);
  reply.data.forEach((one, i) => {
    assert.equal(one.index, i);
    golden[i].vector.forEach((expected, k) => assert.ok(Math.abs(one.embedding[k] - expected) < 1e-5));
  });
  const tokens = golden.reduce((sum, one) => sum + one.ids.length, 0);
  assert.deepEqual(reply.usage, { prompt_tokens: tokens, total_tokens: tokens });
});

test("numbers and base64 are the same floats", async () => {
  const numbers = (await embed(golden[0].text, { encoding_format: "float" })).data[0].embedding;
  const decoded = (await embed(golden[0].text)).data[0].embedding;
  const text = (await embed(golden[0].text, { encoding_format: "base64" })).data[0].embedding;
  assert.equal(typeof text, "string");
  const bytes = Buffer.from(text, "base64");
  assert.deepEqual(numbers.map(Math.fround), numbers.map((_, i) => bytes.readFloatLE(4 * i)));
  assert.deepEqual(Array.from(decoded), numbers.map(Math.fround));
});

test("dimensions and tokens", async () => {
  assert.equal((await embed("a", { dimensions: 5 })).data[0].embedding.length, 5);
  const text = (await embed(golden[1].text)).data[0].embedding;
  assert.deepEqual((await embed([golden[1].ids])).data[0].embedding, text);
});

test("each mistake has its error", async () => {
  await assert.rejects(embed(["a", ""]), (error) => error instanceof OpenAI.BadRequestError && error.param === "input[1]");
  await assert.rejects(embed("a ".repeat(500)), (error) => error.code === "context_length_exceeded");
  await assert.rejects(embed("a", {}, client(process.env.FEILUN_POOR_KEY)), (error) => error.code === "insufficient_quota");
});

test("many requests at once do not mix", async () => {
  const alone = await Promise.all(golden.slice(0, 4).map(async (one) => (await embed(one.text)).data[0].embedding));
  const replies = await Promise.all(Array.from({ length: 40 }, (_, i) => embed(golden[i % 4].text)));
  replies.forEach((reply, i) => assert.deepEqual(reply.data[0].embedding, alone[i % 4]));
});
