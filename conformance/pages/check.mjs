// Opens pages of `lookback explain --html` in headless Chromium: clicks through views, rows and tokens, reads the weights back and
// compares them with `lookback predict --attention`, and has axe-core judge them (WCAG 2.1 A and AA), light and dark.
//
//     cd conformance/pages && npm install && node check.mjs ../../target/release/lookback [FOLDER FOR PICTURES]
//
// Chromium is /usr/bin/chromium (Debian's package), or what CHROMIUM names.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync, statSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { strict as assert } from "node:assert";
import { chromium } from "playwright-core";

const [binary = "../../target/release/lookback", pictures] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "lookback-pages-"));
const file = name => join(folder, name);
if (pictures) mkdirSync(pictures, { recursive: true });
const lookback = (...words) => execFileSync(resolve(binary), words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 1 << 28 });

// What the models are trained on: written here, so small that every training takes seconds.
const random = (seed => () => (seed = (seed * 48271) % 2147483647) / 2147483647)(7);
const pick = list => list[Math.floor(random() * list.length)];
const many = (count, make) => Array.from({ length: count }, make).join("\n") + "\n";
const texts = "text\tlabel\n" + many(300, () => {
  const food = random() < 0.5;
  return `${pick(["the", "a", "my", "我的", "هذا"])} ${pick(food ? ["soup", "bread", "汤", "خبز"] : ["train", "bus", "火车", "قطار"])} was `
    + `${pick(["late", "good", "cold", "fine"])}\t${food ? "food" : "travel"}`;
});
writeFileSync(file("texts.tsv"), texts);
writeFileSync(file("tagged.txt"), many(200, () => `${pick(["Ann", "Bob", "Eve"])}/PER sees/O ${pick(["Paris", "Rome"])}/LOC now/O`));
writeFileSync(file("pairs.tsv"), "source\ttarget\n" + many(300, () => {
  const word = Array.from({ length: 3 + Math.floor(random() * 3) }, () => pick([..."abcdef"]));
  return `${word.join(" ")}\t${word.reverse().join(" ")}`;
}));
writeFileSync(file("lines.txt"), many(400, () => `the ${pick(["old", "young"])} miller ${pick(["sings", "sleeps"])} well`));
writeFileSync(file("numbers.csv"), "time,y\n" + many(300, (_, at) => `${at},${(10 + 3 * Math.sin(at / 4)).toFixed(4)}`));

const models = {
  "several heads": ["classify", "texts.tsv", "--attention", "multi-head:2", "--pooling", "attention", "--epochs", "4"],
  "no attention": ["classify", "texts.tsv", "--pooling", "mean", "--epochs", "3"],
  tags: ["tag", "tagged.txt", "--attention", "self", "--epochs", "4"],
  translation: ["translate", "pairs.tsv", "--epochs", "4", "--hidden", "16"],
  "language model": ["generate", "lines.txt", "--epochs", "2", "--hidden", "24"],
  forecast: ["forecast", "numbers.csv", "--time", "time", "--target", "y", "--horizon", "8", "--epochs", "3", "--pooling", "attention"],
};
for (const [name, [task, data, ...options]] of Object.entries(models)) {
  lookback("train", task, file(data), ...options, "--seed", "0", "-o", file(`${name}.safetensors`), "--quiet");
}
const long = Array.from({ length: 500 }, () => pick(["the", "soup", "was", "cold", "train", "late", "and"])).join(" ");
const inputs = {
  "several heads": { english: "the soup was cold and my train late", chinese: "我的 汤 was cold 而 火车 late", arabic: "هذا قطار was late", long,
    hostile: "</script><b>the soup</b> & \"was\" cold <!-- late" },
  "no attention": { english: "the soup was cold" },
  tags: { english: "Ann sees Rome now" },
  translation: { english: "a b c d" },
  "language model": { english: "the old miller sings" },
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
let opened = 0;

async function open(path, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const tab = await context.newPage();
  const problems = [];
  tab.on("pageerror", error => problems.push(String(error)));
  tab.on("console", message => { if (message.type() === "error") problems.push(message.text()); });
  tab.on("request", request => { if (!request.url().startsWith("file:")) problems.push(`asks for ${request.url()}`); });
  await tab.goto(`file://${path}`);
  assert.deepEqual(problems, [], path);
  opened += 1;
  return { tab, close: () => context.close(), problems };
}

async function judged(tab, what) {
  await tab.evaluate(axe);
  const { violations } = await tab.evaluate(() => window.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }));
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(node => node.html.slice(0, 120)).join(" | ")}`);
  assert.deepEqual(told, [], what);
}

const weights = tab => tab.$$eval(".token", tokens => tokens.map(token => Number(token.dataset.weight)));
// The page keeps 32-bit numbers as JSON has them.
const same = (found, expected, what) => {
  assert.equal(found.length, expected.length, what);
  found.forEach((value, at) => assert.ok(Math.abs(value - expected[at]) <= 1e-6, `${what}, ${at}: ${value}, not ${expected[at]}`));
};

for (const [name, texts] of Object.entries(inputs)) {
  for (const [language, text] of Object.entries(texts)) {
    const what = `${name}, ${language}`;
    const page = file("page.html");
    lookback("explain", file(`${name}.safetensors`), text, "--html", page, "--json", file("page.json"));
    const size = statSync(page).size;
    assert.ok(size < 1e6, `${what}: ${size} bytes`);
    const { tab, close, problems } = await open(page);
    const shown = JSON.parse(readFileSync(file("page.json"), "utf8")).inputs[0];
    assert.equal(await tab.$eval(".answer", answer => answer.textContent), shown.answers[0], what);
    assert.equal(await tab.$$eval(".tokens", all => all.map(one => one.textContent).join("")), text, `${what}: the text stands as it is`);
    if (name === "several heads") {
      writeFileSync(file("input.txt"), `${text}\n`);
      const answer = JSON.parse(lookback("predict", file(`${name}.safetensors`), file("input.txt"), "--attention"));
      const choose = tab.locator("select").first(), rows = tab.locator("select").nth(1);
      assert.deepEqual(await choose.locator("option").allTextContents(),
        ["pooling", "head 1", "head 2", "integrated gradients", "gradient times input"], what);
      same(await weights(tab), answer.weights, `${what}, pooling`);
      for (const head of ["head 1", "head 2"]) {
        await choose.selectOption({ label: head });
        const matrix = answer.views[head];
        if (!matrix || language === "long") continue;
        for (const row of [0, matrix.length - 1]) {
          await rows.selectOption(String(row));
          same(await weights(tab), matrix[row], `${what}, ${head}, row ${row}`);
        }
        // A token chosen by keyboard is the row that is shown.
        await tab.locator(".token").first().focus();
        await tab.keyboard.press(language === "arabic" ? "ArrowLeft" : "ArrowRight");
        assert.equal(await tab.evaluate(() => document.activeElement.dataset.token), "1", what);
        await tab.keyboard.press("Home");
        await tab.keyboard.press("Enter");
        same(await weights(tab), matrix[0], `${what}, ${head}, by keyboard`);
        assert.match(await tab.locator(".detail").textContent(), /without it: /);
      }
      await choose.selectOption({ label: "integrated gradients" });
      same(await weights(tab), shown.attribution.integrated, `${what}, integrated gradients`);
      const { integrated, from, to } = shown.attribution;
      const sum = integrated.reduce((a, b) => a + b, 0);
      assert.ok(Math.abs(sum - (to - from)) <= 0.01 * Math.abs(to - from) + 1e-5, `${what}: ${sum} is not ${to - from}`);
      assert.match(await tab.locator("main").textContent(), /Attention is no proof of cause/);
    }
    if (name === "translation") {
      const rows = tab.locator("select").nth(1);
      await rows.selectOption("1");
      const row = await weights(tab);
      same(row, shown.views[0].values[1].slice(0, row.length), what);
    }
    if (language === "english" || language === "long") {
      await judged(tab, `${what}, light`);
      await tab.locator(".theme").click();
      await judged(tab, `${what}, dark`);
      await tab.locator(".theme").click();
    }
    if (pictures) {
      await tab.screenshot({ path: join(pictures, `${name}-${language}.png`), fullPage: true });
    }
    assert.deepEqual(problems, [], what);
    await close();
    if (language !== "hostile" && name === "several heads") {
      const narrow = await open(page, { viewport: { width: 360, height: 740 }, colorScheme: "dark" });
      const wide = await narrow.tab.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= 360, `${what}: ${wide} pixels wide at 360`);
      if (pictures) await narrow.tab.screenshot({ path: join(pictures, `${name}-${language}-narrow.png`), fullPage: true });
      await narrow.close();
    }
  }
}

// Two inputs side by side, and a series.
lookback("explain", file("several heads.safetensors"), "the soup was cold", "--beside", "the train was late", "--html", file("two.html"));
const two = await open(file("two.html"));
assert.equal(await two.tab.locator("section").count(), 2);
await judged(two.tab, "two inputs");
if (pictures) await two.tab.screenshot({ path: join(pictures, "two.png"), fullPage: true });
await two.close();
lookback("explain", file("forecast.safetensors"), "--data", file("numbers.csv"), "--html", file("series.html"));
const series = await open(file("series.html"));
assert.equal(await series.tab.locator(".chart svg").count(), 1);
assert.ok(await series.tab.locator(".matrix td[data-value]").count() > 8);
await judged(series.tab, "a series");
if (pictures) await series.tab.screenshot({ path: join(pictures, "series.png"), fullPage: true });
await series.close();

// Gates and states over time.
for (const [name, words] of [["several heads", ["the soup was cold"]], ["language model", ["the old miller"]], ["forecast", ["--data", file("numbers.csv")]]]) {
  lookback("inspect", file(`${name}.safetensors`), ...words, "--html", file("gates.html"), "--json", file("gates.json"));
  const { layers } = JSON.parse(readFileSync(file("gates.json"), "utf8"));
  const { tab, close } = await open(file("gates.html"));
  const choose = tab.locator("select").first(), rows = tab.locator("select").nth(1);
  assert.equal(await choose.locator("option").count(), layers.reduce((sum, layer) => sum + Object.keys(layer.values).length, 0));
  await choose.selectOption({ label: `${layers[0].name}: hidden state` });
  await rows.selectOption("2");
  const third = layers[0].values["hidden state"][2];
  const found = await weights(tab);
  found.forEach((value, at) => assert.ok(Math.abs(value - third[at]) <= 5.1e-4, `${name}, unit 3, ${at}: ${value}, not ${third[at]}`));
  await judged(tab, `${name}, gates`);
  if (pictures) await tab.screenshot({ path: join(pictures, `${name}-gates.png`), fullPage: true });
  await close();
}

await browser.close();
console.log(`${opened} pages opened: weights as predict has them, nothing asked of the network, no violation of WCAG 2.1 A and AA`);
