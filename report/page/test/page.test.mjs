// The page in a real browser: nothing leaves it, nothing complains, everybody can use it, and the stepper's sums are the
// numbers that the program stored.
//   node test/page.test.mjs                     on the invented report of sample.mjs, and on hostile and broken ones
//   node test/page.test.mjs REPORT.html [--sums] [--kinds] [--ready MS]
//       on that; --sums: only the stepper's sums; --kinds: the net must have convolutions of every kind; --ready: it must
//       be ready so many milliseconds after it was opened, the quickest of five times
// CHROMIUM names the browser where it is not /usr/bin/chromium.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { generator } from "./sample_math.mjs";
import { writeSample } from "./sample.mjs";

const browserFlags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
const axeSource = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const tolerance = 1e-5; // of float32 sums beside those in double, relative to max(1, |stored|)
const choices = 300;

let failures = 0;
function check(what, holds, detail = "") {
  console.log(`${holds ? "ok  " : "FAIL"} ${what}${holds || !detail ? "" : `: ${detail}`}`);
  if (!holds) ++failures;
}

/// A page that remembers each request, console error and exception.
async function open(browser, file, { scheme = "light", width = 1280, motion = "no-preference" } = {}) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: 900 }, reducedMotion: motion, bypassCSP: true });
  const page = await context.newPage();
  const address = pathToFileURL(file).href;
  const complaints = [];
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(address) && !url.startsWith("data:") && !url.startsWith("blob:")) complaints.push(`request ${url}`);
  });
  page.on("console", (message) => message.type() === "error" && complaints.push(`console ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`exception ${error.message}`));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(address);
  await page.evaluate(() => window.gradusReport.ready);
  return { page, complaints, close: () => context.close() };
}

const viewIds = (page) => page.$$eval("nav a", (links) => links.map((link) => link.hash.slice(1)));

async function show(page, id) {
  await page.click(`#to-${id}`);
  await page.waitForFunction((view) => document.querySelector(`#to-${view}`).getAttribute("aria-current") === "page", id);
}

const tabs = ["forward", "flipped", "columns", "pointwise", "weight", "input"];

/// Calls visit with the name of each view, and of each tab of the stepper, while it is shown.
async function eachView(page, visit) {
  for (const id of await viewIds(page)) {
    await show(page, id);
    if (id !== "convolution") await visit(id);
    else {
      for (const tab of tabs) {
        await page.click(`#tab-${tab}`);
        await visit(`convolution, ${tab}`);
      }
    }
  }
}

async function testEverybodyCanReadIt(browser, file) {
  for (const scheme of ["light", "dark"]) {
    for (const width of [400, 1280]) {
      const { page, complaints, close } = await open(browser, file, { scheme, width });
      await page.evaluate(axeSource);
      const found = [];
      await eachView(page, async (id) => {
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        if (wide > 0) found.push(`${id} is ${wide} px too wide`);
        const violations = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ["violations"] })).violations);
        for (const { id: rule, impact, nodes } of violations) {
          if (impact === "serious" || impact === "critical") found.push(`${id}: ${rule} at ${nodes[0].html.slice(0, 160)}`);
        }
      });
      check(`axe and the width, ${scheme}, ${width} px`, found.length === 0, found.join("\n      "));
      check(`no request, no complaint, ${scheme}, ${width} px`, complaints.length === 0, complaints.join("; "));
      await close();
    }
  }
}

/// Presses Tab until an element that matches has the focus.
async function tabTo(page, selector) {
  for (let i = 0; i < 400; ++i) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return true;
  }
  return false;
}

const textOf = (page, selector) => page.$eval(selector, (element) => element.textContent);

async function testKeyboard(browser, file) {
  const { page, complaints, close } = await open(browser, file, { motion: "reduce" });
  const ids = await viewIds(page);
  for (const id of ids) {
    const reached = await tabTo(page, `#to-${id}`);
    await page.keyboard.press("Enter");
    await page.waitForTimeout(30);
    const title = await page.evaluate(() => document.activeElement?.tagName);
    check(`${id} is reached by keyboard, and its title has the focus`, reached && title === "H2" && page.url().endsWith(`#${id}`));
    await page.evaluate(() => document.activeElement?.blur());
  }
  if (ids.includes("convolution")) await testStepperKeys(page);
  if (ids.includes("tape")) await testTapeKeys(page);
  check("no complaint while keys were pressed", complaints.length === 0, complaints.join("; "));
  await close();
}

async function testStepperKeys(page) {
  await show(page, "convolution");
  await page.focus("#tab-forward");
  const layers = await page.$$eval('[data-key="layer"] option', (options) => options.length);
  // A layer whose output has room for a step in each direction.
  const sizes = await page.evaluate(() => window.gradusReport.convolutions().map(({ outHeight, outWidth }) => Math.min(outHeight, outWidth)));
  const layer = Math.max(0, sizes.findIndex((size) => size >= 3));
  check("the stepper offers every layer", layers === sizes.length);
  await page.focus('[data-key="layer"]');
  await page.selectOption('[data-key="layer"]', { index: layer });
  check("a change of layer leaves the focus where it was", await page.evaluate(() => document.activeElement?.dataset.key === "layer"));
  const where = () => textOf(page, ".side .note");
  const before = await where();
  await tabTo(page, ".side .plane");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowLeft");
  check("arrow keys move the window", (await where()) !== before, await where());
  const computed = await textOf(page, ".computed strong");
  await tabTo(page, ".side input[type=range]");
  await page.keyboard.press("ArrowRight");
  check("the slider steps over the pixels", (await where()) !== before && (await textOf(page, ".computed strong")).length > 0, computed);
  await page.selectOption('[data-key="steps"]', { index: 1 });
  await tabTo(page, ".side input[type=range]");
  await page.keyboard.press("ArrowRight");
  check("it steps over the products", (await textOf(page, ".running")).startsWith("1 of "), await textOf(page, ".running"));
  await page.click(".side .play");
  await page.waitForFunction(() => !document.querySelector(".running").textContent.startsWith("1 of "));
  check("it plays", true);
  await page.focus("#tab-forward");
  for (const tab of tabs.slice(1)) {
    await page.keyboard.press("ArrowRight");
    const chosen = await page.$eval(`#tab-${tab}`, (element) => element.getAttribute("aria-selected") === "true" && document.activeElement === element);
    check(`the tab ${tab} is reached with an arrow key`, chosen);
  }
  await testWeightKeys(page);
}

async function testWeightKeys(page) {
  const kernels = await page.evaluate(() => window.gradusReport.convolutions().map(({ kernelHeight, kernelWidth }) => kernelHeight * kernelWidth));
  await page.click("#tab-weight");
  await page.selectOption('[data-key="layer"]', { index: Math.max(0, kernels.findIndex((area) => area > 1)) });
  const reached = await tabTo(page, ".cells button");
  const chosen = () => page.$$eval(".cells button", (cells) => cells.findIndex((cell) => cell.getAttribute("aria-pressed") === "true"));
  const before = await chosen();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowDown");
  const after = await chosen();
  check("arrow keys choose a weight, and the focus goes along", reached && after !== before && (await page.evaluate(() => document.activeElement?.getAttribute("aria-pressed"))) === "true", `${before} to ${after}`);
  await tabTo(page, ".player input");
  await page.keyboard.press("ArrowLeft");
  const said = await textOf(page, ".running");
  check("its contributions are stepped through", said.includes("so far"), said);
  await page.click("#tab-input");
  await tabTo(page, ".plane.picks");
  const sum = await textOf(page, ".computed strong");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowDown");
  check("arrow keys choose an input pixel", (await textOf(page, ".computed strong")) !== sum, sum);
}

async function testTapeKeys(page) {
  await show(page, "tape");
  const report = await page.evaluate(() => JSON.parse(document.getElementById("report").textContent));
  await tabTo(page, ".player input");
  await page.keyboard.press("Home");
  const first = await textOf(page, ".said");
  await page.keyboard.press("ArrowRight");
  check("the tape goes forward with an arrow key", (await textOf(page, ".said")) !== first);
  await page.keyboard.press("End");
  check("and to the end of backward", (await textOf(page, ".said")).startsWith(`backward ${report.backward.length} of`));
  const absent = await page.$$eval(".row.blank .gradient", (states) => states.map((state) => state.textContent));
  const without = report.nodes.filter((node, i) => !node.computed && i !== report.loss).length;
  check("what was not computed is said, for each node", absent.length === without && absent.every((text) => text === "not computed"), `${absent.length} of ${without}`);
  const meeting = report.nodes.findIndex(({ arrivals }, i) => arrivals.length > 1 && report.backward.includes(i));
  if (meeting >= 0) {
    const step = report.nodes.length + report.backward.indexOf(meeting);
    await page.$eval(".player input", (slider, to) => ((slider.value = to), slider.dispatchEvent(new Event("input"))), step);
    check("where branches meet stands +=", (await page.$$eval(".arrival .plus", (signs) => signs.length)) === report.nodes[meeting].arrivals.length - 1);
  }
  await tabTo(page, ".rows");
  await page.keyboard.press("Home");
  const node = await page.$eval(".rows", (list) => list.getAttribute("aria-activedescendant"));
  await page.keyboard.press("ArrowUp");
  check("arrow keys go through the list of nodes", (await page.$eval(".rows", (list) => list.getAttribute("aria-activedescendant"))) !== node);
}

/// What a convolution may have that a plain one has not.
const kinds = {
  stride: ({ stride }) => Math.max(...stride) > 1,
  padding: ({ padding }) => Math.max(...padding) > 0,
  dilation: ({ dilation }) => Math.max(...dilation) > 1,
  groups: ({ groups }) => groups > 1,
  "1x1": ({ kernel }) => kernel[0] === 1 && kernel[1] === 1,
  "none of these": (layer) => Object.entries(kinds).every(([kind, has]) => kind === "none of these" || !has(layer)),
};

/// Of each convolution of the report, which kinds it is of.
const kindsOf = (page) =>
  page.evaluate(() => {
    const report = JSON.parse(document.getElementById("report").textContent);
    const sizes = window.gradusReport.convolutions();
    return report.convolutions.map(({ stride, padding, dilation, groups }, i) => ({ stride, padding, dilation, groups, kernel: [sizes[i].kernelHeight, sizes[i].kernelWidth] }));
  }).then((layers) => layers.map((layer) => Object.keys(kinds).filter((kind) => kinds[kind](layer))));

/// Random choices for each kind of convolution; the page adds up, the program's number stands beside it.
async function testSums(browser, file, seed, wanted) {
  const { page, complaints, close } = await open(browser, file);
  const sizes = await page.evaluate(() => window.gradusReport.convolutions());
  const kindsThere = await kindsOf(page);
  const random = generator(seed);
  const below = (size) => Math.floor(random() * size);
  const quantities = {
    convolution: (i, s) => [i, below(s.batch), below(s.filters), below(s.outHeight), below(s.outWidth)],
    weightGradient: (i, s) => [i, below(s.filters), below(s.slice), below(s.kernelHeight), below(s.kernelWidth)],
    inputGradient: (i, s) => [i, below(s.batch), below(s.inputs), below(s.height), below(s.width)],
  };
  for (const [quantity, draw] of Object.entries(quantities)) {
    const usable = await page.evaluate((name) => window.gradusReport.convolutions().map((_, i) => window.gradusReport[name](i, 0, 0, 0, 0)?.stored ?? null).map((stored) => stored !== null), quantity);
    check(`${quantity}: stored for a layer at least`, sizes.length === 0 || usable.some((is) => is));
    for (const kind of Object.keys(kinds)) {
      const layers = usable.flatMap((is, i) => (is && kindsThere[i].includes(kind) ? [i] : []));
      if (layers.length === 0) {
        if (wanted.includes(kind)) check(`${quantity}: a layer with ${kind}`, false);
        continue;
      }
      const drawn = Array.from({ length: choices }, (_, k) => draw(layers[k % layers.length], sizes[layers[k % layers.length]]));
      const answers = await page.evaluate(([name, places]) => places.map((place) => window.gradusReport[name](...place)), [quantity, drawn]);
      const wrong = answers.flatMap(({ sum, stored }, k) => (Math.abs(sum - stored) <= tolerance * Math.max(1, Math.abs(stored)) ? [] : [`${drawn[k]}: ${sum} and ${stored}`]));
      const nonzero = answers.filter(({ stored }) => stored !== 0).length;
      check(`${quantity}, ${kind}: ${choices} choices of ${layers.length} layers agree, ${nonzero} of them not zero`, wrong.length === 0 && nonzero > 0, wrong.slice(0, 3).join("; "));
    }
  }
  check("no request, no complaint meanwhile", complaints.length === 0, complaints.join("; "));
  await close();
}

/// How soon it can be used; of several times the quickest, because others use the machine too.
async function testReady(browser, file, limit) {
  let quickest = Infinity;
  for (let i = 0; i < 5; ++i) {
    const { page, close } = await open(browser, file);
    quickest = Math.min(quickest, await page.evaluate(() => window.gradusReport.readyMilliseconds));
    await close();
  }
  check(`ready after ${Math.round(quickest)} ms${limit === null ? "" : `, at most ${limit}`}`, quickest > 0 && quickest <= (limit ?? Infinity));
}

async function testSamplesLead(browser, file) {
  const { page, close } = await open(browser, file);
  if ((await viewIds(page)).includes("samples")) {
    await show(page, "samples");
    await page.locator("summary", { hasText: "conv2d" }).first().scrollIntoViewIfNeeded();
    const mosaic = page.locator(".mosaic.picks").first();
    if ((await mosaic.count()) > 0) {
      await mosaic.click({ position: { x: 3, y: 3 } });
      check("a click on a feature map opens the stepper at that pixel", page.url().endsWith("#convolution") && (await textOf(page, ".side .note")).endsWith("0, 0, 0]"));
    }
  }
  await close();
}

async function testHostileText(browser, file) {
  const { page, complaints, close } = await open(browser, file);
  const counted = () => page.evaluate(() => [document.scripts.length, document.images.length]);
  const before = await counted();
  await eachView(page, async (id) => {
    const now = await counted();
    if (String(now) !== String(before)) complaints.push(`${id}: ${now} scripts and images instead of ${before}`);
    const elements = await page.$$eval("main b, main script, main [onerror]", (found) => found.length);
    if (elements > 0) complaints.push(`${id}: ${elements} elements made of text`);
  });
  check("names that look like markup stay text", complaints.length === 0, complaints.join("; "));
  await close();
}

async function testNothingKept(browser, file) {
  const { page, complaints, close } = await open(browser, file);
  const empty = [];
  await eachView(page, async (id) => {
    if ((await textOf(page, "main")).length < 40) empty.push(id);
  });
  check("a report without arrays shows every view it has", complaints.length === 0 && empty.length === 0, [...complaints, ...empty].join("; "));
  check("and no view of a run that was not", !(await viewIds(page)).includes("run"));
  await show(page, "tape");
  check("and says what is not kept", (await textOf(page, "main .absent")).includes("not kept"));
  await close();
}

async function testRunAlone(browser, file) {
  const { page, complaints, close } = await open(browser, file);
  await eachView(page, async () => {});
  check("a run that diverged, without a traced step, shows what there is", String(await viewIds(page)) === "run,flow" && complaints.length === 0, complaints.join("; "));
  await show(page, "run");
  check("and says that it diverged", (await textOf(page, ".finding.is-bad")).includes("diverged"));
  check("and what the command does not repeat", (await textOf(page, "main .note")).includes("leaves something out"));
  await close();
}

async function testManyClasses(browser, file) {
  const { page, complaints, close } = await open(browser, file);
  await show(page, "mistakes");
  const rows = await page.$$eval("main tbody tr", (found) => found.map((row) => row.textContent));
  const counts = await page.evaluate(() => JSON.parse(document.getElementById("report").textContent).confusion.counts);
  const most = Math.max(...counts.flatMap((row, i) => row.filter((_, j) => i !== j)));
  check("of 300 classes the most frequent confusions are listed, and no table of zeros", rows.length === 60 && rows[0].includes(String(most)) && complaints.length === 0, `${rows.length} rows, ${rows[0]}`);
  await close();
}

async function testBrokenCheck(browser, file) {
  const { page, complaints, close } = await open(browser, file);
  check("a gradient check that is none has no view, and breaks none", !(await viewIds(page)).includes("gradcheck") && complaints.length === 0, complaints.join("; "));
  await close();
}

async function testContentPolicy(browser, file) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.goto(pathToFileURL(file).href);
  await page.evaluate(() => window.gradusReport.ready);
  check("the page runs under its own content policy", errors.length === 0, errors.join("; "));
  const blocked = await page.evaluate(() => fetch("https://example.invalid/").then(() => "no", () => "yes"));
  check("which refuses requests to elsewhere", blocked === "yes" && errors.some((text) => text.includes("Content Security Policy")), errors.join("; "));
  await context.close();
}

const scratch = mkdtempSync(join(tmpdir(), "gradus-page-"));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: browserFlags.split(" ") });
try {
  const words = process.argv.slice(2);
  const limit = words.includes("--ready") ? Number(words[words.indexOf("--ready") + 1]) : null;
  const given = words.length > 0 && !words[0].startsWith("--") ? resolve(words[0]) : null;
  const file = given ?? join(scratch, "sample.html");
  if (!given) writeSample(file, {});
  const special = Object.keys(kinds).filter((kind) => kind !== "none of these");
  await testSums(browser, file, 11, !given || words.includes("--kinds") ? special : []);
  await testReady(browser, file, limit);
  if (!words.includes("--sums")) {
    await testKeyboard(browser, file);
    await testSamplesLead(browser, file);
    await testEverybodyCanReadIt(browser, file);
    await testContentPolicy(browser, file);
  }
  const invented = { hostile: testHostileText, bare: testNothingKept, alone: testRunAlone, many: testManyClasses, broken: testBrokenCheck };
  for (const [kind, test] of given ? [] : Object.entries(invented)) {
    const made = join(scratch, `${kind}.html`);
    writeSample(made, { [kind]: true });
    await test(browser, made);
  }
} finally {
  await browser.close();
  rmSync(scratch, { recursive: true });
}
console.log(failures === 0 ? "all of the page's tests passed" : `${failures} of the page's tests failed`);
process.exit(failures === 0 ? 0 : 1);
