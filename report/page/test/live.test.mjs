// The page that `gradus train --serve` shows, in a real browser, while a net trains: it steers the training, shows what
// the net takes a drawing for, asks nobody else, and goes on when the program has ended.
//   node test/live.test.mjs GRADUS      the program
// CHROMIUM names the browser where it is not /usr/bin/chromium.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";

const browserFlags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
const axeSource = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

let failures = 0;
function check(what, holds, detail = "") {
  console.log(`${holds ? "ok  " : "FAIL"} ${what}${holds || !detail ? "" : `: ${detail}`}`);
  if (!holds) ++failures;
}

/// Trains the digits, and resolves to the address that the program says it is shown at.
function train(program, folder) {
  const options = ["train", "--data", "digits", "--model", "cnn", "--epochs", "200", "--serve", "--port", "0", "--out", join(folder, "run")];
  const child = spawn(program, options, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise((settle) => child.on("exit", settle));
  const address = new Promise((settle, refuse) => {
    let said = "";
    child.stderr.on("data", (text) => {
      said += text;
      const found = /shown at (http:\S+)/.exec(said);
      if (found) settle(found[1]);
    });
    void ended.then(() => refuse(new Error(said)));
  });
  return { child, ended, address };
}

async function open(browser, address, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints = [];
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(address) && !url.startsWith("data:") && !url.startsWith("blob:")) complaints.push(`request ${url}`);
  });
  page.on("console", (message) => message.type() === "error" && complaints.push(`console ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`exception ${error.message}`));
  await page.goto(address);
  await page.evaluate(() => window.gradusReport.ready);
  return { page, complaints, close: () => context.close() };
}

const status = (page, text) => page.waitForFunction((wanted) => document.querySelector("[role=status]")?.textContent === wanted, text);
const lineOf = (page) => page.$eval("strong[role=status] + span", (element) => element.textContent);
const stepOf = async (page) => Number(/step ([\d\u202f]+)/.exec(await lineOf(page))[1].replace(/\u202f/g, ""));
const waitForStep = (page, step) =>
  page.waitForFunction((wanted) => document.querySelector("strong[role=status] + span").textContent.replace(/\u202f/g, "").includes(`step ${wanted} of`), step);

async function testSteering(page) {
  await status(page, "running");
  await page.click('[data-key="pause"]');
  await status(page, "paused");
  const step = await stepOf(page);
  await page.click('[data-key="step"]');
  await waitForStep(page, step + 1);
  check("one step is one step", (await stepOf(page)) === step + 1);
  await page.fill("input.rate", "0.00125");
  await page.click('[data-key="change rate"]');
  await page.waitForFunction(() => document.querySelector("strong[role=status] + span").textContent.includes("learning rate 0.00125"));
  check("a changed rate is shown", true);
  await page.fill("input.rate", "0");
  await page.click('[data-key="change rate"]');
  await page.waitForFunction(() => document.querySelector("[role=alert]").textContent.includes("a number above 0"));
  check("what the program refuses is told", true);
  check("curves are drawn", (await page.$$(".curves canvas")).length >= 2);
}

async function testPad(page) {
  await page.locator("canvas.pad").scrollIntoViewIfNeeded();
  const box = await page.locator("canvas.pad").boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 8);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2, box.y + (7 * box.height) / 8, { steps: 8 });
  await page.mouse.up();
  await page.waitForSelector(".drawing .bars li");
  const shown = await page.$$eval(".drawing .bars .number", (cells) => cells.map((cell) => Number.parseFloat(cell.textContent.replace("\u2212", "-"))));
  const sum = shown.reduce((a, b) => a + b, 0);
  check("a drawing has ten probabilities", shown.length === 10 && Math.abs(sum - 100) < 1, shown.join(" "));
  const seen = () => page.$eval('canvas[aria-label="what the net sees"]', (canvas) => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data].join());
  const drawn = await seen();
  await page.click("text=Clear");
  const cleared = await seen();
  await page.focus("canvas.pad");
  for (const key of [" ", ...Array(12).fill("ArrowDown"), " "]) await page.keyboard.press(key);
  const byKeys = await seen();
  await page.waitForSelector(".drawing .bars li");
  check("it is drawn on by mouse and by keys, and cleared", drawn !== cleared && byKeys !== cleared);
}

async function testRefresh(page, address) {
  check("before, there is the run alone", (await page.$$("#to-tape")).length === 0);
  await Promise.all([page.waitForNavigation(), page.click('[data-key="refresh"]')]);
  await page.evaluate(() => window.gradusReport.ready);
  check("then the other views are there", (await page.$$("#to-tape, #to-convolution, #to-samples")).length === 3);
  await page.click("#to-tape");
  await page.click("#to-live");
  await status(page, "paused");
  check("and going to them and back keeps it live", page.url().startsWith(address));
}

async function testEverybodyCanUseIt(browser, address) {
  for (const scheme of ["light", "dark"]) {
    for (const width of [400, 1280]) {
      const { page, close } = await open(browser, address, { colorScheme: scheme, viewport: { width, height: 900 }, bypassCSP: true });
      await status(page, "paused");
      await page.evaluate(axeSource);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      const violations = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ["violations"] })).violations);
      const found = violations.filter(({ impact }) => impact === "serious" || impact === "critical").map(({ id, nodes }) => `${id} at ${nodes[0].html.slice(0, 160)}`);
      check(`axe and the width, ${scheme}, ${width} px`, found.length === 0 && wide <= 0, [...found, `${wide} px too wide`].join("; "));
      await close();
    }
  }
}

const [program] = process.argv.slice(2);
if (!program) {
  console.error("usage: node test/live.test.mjs GRADUS");
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), "gradus-live-"));
const { child, ended, address: says } = train(resolve(program), folder);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: browserFlags.split(" ") });
try {
  const address = await says;
  const { page, complaints } = await open(browser, address);
  await testSteering(page);
  await testPad(page);
  await testRefresh(page, address);
  await testEverybodyCanUseIt(browser, address);
  // The browser itself notes an answer that refuses; nothing else may have been said until the program ends.
  const refused = complaints.filter((text) => !text.includes("status of 400"));
  check("no request elsewhere, no complaint", refused.length === 0, refused.join("; "));
  await page.click('[data-key="pause"]');
  await status(page, "running");
  child.kill("SIGINT");
  check("Ctrl-C ends the program as ever", (await ended) === 130);
  await status(page, "the program has ended, or does not answer");
  check("and the page says so", await page.isDisabled('[data-key="pause"]'));
} finally {
  child.kill("SIGKILL");
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
console.log(failures === 0 ? "all well" : `${failures} failed`);
process.exit(failures === 0 ? 0 : 1);
