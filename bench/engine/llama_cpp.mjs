// Tokens per second of llama.cpp on one GGUF, the same figures as engine_bench.cc prints.
//   node llama_cpp.mjs MODEL.gguf THREADS PREFILL_TOKENS DECODE_TOKENS SEQUENCES…
import { getLlama, LlamaLogLevel } from "node-llama-cpp";

const [path, threads, prefill, decode, ...counts] = process.argv.slice(2).map((v, i) => (i === 0 ? v : Number(v)));
const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads, logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath: path });
const prompt = (index, length) => Array.from({ length }, (_, i) => 1000 + ((i * 7 + index * 31) % 5000));
const seconds = () => Number(process.hrtime.bigint()) / 1e9;
const print = (figure, rate) => console.log(JSON.stringify({ figure, tokens_per_second: Number(rate.toFixed(2)) }));

async function withContext(sequences, contextSize, work) {
  const context = await model.createContext({ sequences, contextSize, batchSize: 512, threads, flashAttention: true });
  try { return await work(Array.from({ length: sequences }, () => context.getSequence())); }
  finally { await context.dispose(); }
}

const evaluate = { temperature: 0, yieldEogToken: true };

/** Reads `count` tokens; calls `onFirst` after the first. */
async function generate(sequence, tokens, count, onFirst) {
  let made = 0;
  for await (const _ of sequence.evaluate(tokens, evaluate)) {
    made += 1;
    if (made === 1) onFirst?.();
    if (made === count) break;
  }
}

await withContext(1, 256, ([sequence]) => generate(sequence, prompt(0, 64), 4));  // touches every page once

await withContext(1, prefill + 256, async ([sequence]) => {
  const start = seconds();
  await generate(sequence, prompt(0, prefill), 1);
  print(`prefill ${prefill}`, prefill / (seconds() - start));
});

for (const count of counts) {
  await withContext(count, prefill + 256, async (sequences) => {
    let waiting = count, started = 0;
    const onFirst = () => { if (--waiting === 0) started = seconds(); };
    await Promise.all(sequences.map((sequence, i) => generate(sequence, prompt(i, 64), decode, onFirst)));
    print(`decode ${count}`, (count * (decode - 1)) / (seconds() - started));
  });
}
await llama.dispose();
