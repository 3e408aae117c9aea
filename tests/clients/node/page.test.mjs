// The page at / in real Chromium against a running feilun (tests/system/feilun_server.py starts it).
// FEILUN_SCREENSHOT=FILE keeps a picture of the chat.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import test from "node:test";
import { chromium } from "playwright-core";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
if (!existsSync(executablePath)) {
  console.log(`no Chromium at ${executablePath}`);
  process.exit(77);  // CTest: skipped
}
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

async function withPage(work) {
  const browser = await chromium.launch({ executablePath, args: flags });
  try {
    const page = await browser.newPage({ viewport: { width: 900, height: 640 } });
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(process.env.FEILUN_URL);
    await work(page);
    assert.deepEqual(errors, []);
  } finally {
    await browser.close();
  }
}

async function ask(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
  await page.waitForFunction(() => document.querySelector("#talk .note:last-child")?.textContent.includes("tokens in"));
}

test("a visitor chats, sees the balance fall and finds the curl", async () => {
  await withPage(async (page) => {
    await page.fill("#key", process.env.FEILUN_KEY);
    await page.press("#key", "Enter");
    await page.waitForFunction(() => document.querySelector("#balance").textContent.includes("CNY"));
    const before = await page.textContent("#balance");
    await ask(page, "What is feilun?");
    const answer = await page.locator(".assistant").last().textContent();
    assert.ok(answer.length > 10, answer);
    await page.waitForFunction((old) => document.querySelector("#balance").textContent !== old, before);
    await ask(page, "什么是飞轮?");
    assert.equal(await page.locator(".assistant").count(), 2);
    assert.match(await page.textContent("#curl"), /curl -N http.*chat\/completions/);
    if (process.env.FEILUN_SCREENSHOT) await page.screenshot({ path: process.env.FEILUN_SCREENSHOT });
  });
});

test("a wrong key is told in words", async () => {
  await withPage(async (page) => {
    await page.fill("#key", "sk-fl-wrong");
    await page.press("#key", "Enter");
    await page.waitForFunction(() => document.querySelector("#balance").textContent.length > 5);
  });
});

test("what a user types is shown as text, never as markup", async () => {
  await withPage(async (page) => {
    await page.fill("#key", process.env.FEILUN_KEY);
    await page.press("#key", "Enter");
    await page.waitForFunction(() => document.querySelector("#model").options.length > 0);
    await ask(page, "<img src=x onerror=document.title='broken'>");
    assert.equal(await page.locator("#talk img").count(), 0);
    assert.equal(await page.title(), "feilun");
  });
});
