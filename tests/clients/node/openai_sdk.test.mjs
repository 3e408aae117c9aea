// The official OpenAI SDK for Node against a running feilun (tests/system/feilun_server.py starts it).
import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";

const MODEL = "feilun-nano";
const url = process.env.FEILUN_URL;
const messages = [{ role: "user", content: "What is feilun?" }];
const client = (key = process.env.FEILUN_KEY, options = {}) =>
  new OpenAI({ baseURL: url + "/v1", apiKey: key, timeout: 60_000, ...options });
const ask = (more = {}, sdk = client(), options = {}) =>
  sdk.chat.completions.create({ model: MODEL, messages, max_tokens: 40, temperature: 0, ...more }, options);

async function balance() {
  const reply = await fetch(url + "/feilun/v1/balance", { headers: { Authorization: "Bearer " + process.env.FEILUN_KEY } });
  return reply.json();
}

async function text(stream) {
  let all = "";
  for await (const chunk of stream) all += chunk.choices[0]?.delta?.content ?? "";
  return all;
}

test("a reply has text, finish reason and usage", async () => {
  const reply = await ask();
  assert.ok(reply.choices[0].message.content);
  assert.ok(["stop", "length"].includes(reply.choices[0].finish_reason));
  assert.equal(reply.usage.total_tokens, reply.usage.prompt_tokens + reply.usage.completion_tokens);
});

test("a stream says the same as a reply, with the usage last when asked", async () => {
  const whole = await ask();
  let all = "", usage = null;
  for await (const chunk of await ask({ stream: true, stream_options: { include_usage: true } })) {
    all += chunk.choices[0]?.delta?.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(all, whole.choices[0].message.content);
  assert.deepEqual(usage, whole.usage);
});

test("stop strings, n, seed and logprobs", async () => {
  const whole = (await ask()).choices[0].message.content;
  const stop = whole.slice(4, 9);
  assert.equal((await ask({ stop })).choices[0].message.content, whole.slice(0, whole.indexOf(stop)));
  assert.equal((await ask({ n: 3 })).choices.length, 3);
  const sample = async () => (await ask({ seed: 11, temperature: 1.3 })).choices[0].message.content;
  assert.equal(await sample(), await sample());
  const reply = await ask({ logprobs: true, top_logprobs: 2 });
  assert.equal(reply.choices[0].logprobs.content.map((token) => token.token).join(""), reply.choices[0].message.content);
  assert.equal(reply.choices[0].logprobs.content[0].top_logprobs.length, 2);
});

test("the stream helper gathers a completion", async () => {
  const runner = client().chat.completions.stream({ model: MODEL, messages, temperature: 0 });
  assert.ok((await runner.finalChatCompletion()).choices[0].message.content);
});

test("completions and models", async () => {
  const reply = await client().completions.create({ model: MODEL, prompt: "Once upon a time", max_tokens: 5 });
  assert.ok(reply.choices[0].text.length > 0);
  const listed = [];
  for await (const model of client().models.list()) listed.push(model.id);
  assert.ok(listed.includes(MODEL));
});

test("each mistake has its error", async () => {
  await assert.rejects(ask({}, client("sk-fl-wrong")), OpenAI.AuthenticationError);
  await assert.rejects(ask({ model: "nothing" }), OpenAI.NotFoundError);
  await assert.rejects(ask({ max_tokens: "many" }), (error) =>
    error instanceof OpenAI.BadRequestError && error.param === "max_tokens" && Boolean(error.requestID));
});

test("no money is insufficient_quota and not retried", async () => {
  await assert.rejects(ask({}, client(process.env.FEILUN_POOR_KEY, { maxRetries: 5 })), (error) =>
    error instanceof OpenAI.RateLimitError && error.code === "insufficient_quota");
});

test("an aborted stream stops and is charged for what was made", async () => {
  const before = (await balance()).usage.output_tokens;
  const stream = await ask({ stream: true, max_tokens: 400, ignore_eos: true });
  let seen = 0;
  for await (const chunk of stream) {
    if (chunk.choices.length) seen += 1;
    if (seen === 5) break;
  }
  stream.controller.abort();
  for (let i = 0; i < 200 && (await balance()).held !== "0.00"; i += 1) await new Promise((r) => setTimeout(r, 50));
  const charged = (await balance()).usage.output_tokens - before;
  assert.ok(charged >= seen - 1 && charged < 100, `charged ${charged}, read ${seen}`);
});

test("many streams at once do not mix", async () => {
  const expected = (await ask()).choices[0].message.content;
  const texts = await Promise.all(Array.from({ length: 16 }, async () => text(await ask({ stream: true }))));
  assert.deepEqual(new Set(texts), new Set([expected]));
});
