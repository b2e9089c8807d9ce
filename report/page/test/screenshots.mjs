// Pictures of a report's views, for README.md and docs/, from a training of docs/report.md:
//   node test/screenshots.mjs REPORT.html FOLDER      writes FOLDER/report-VIEW.png
// CHROMIUM names the browser where it is not /usr/bin/chromium.
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [, , report, folder] = process.argv;
if (!report || !folder) {
  console.error("usage: node test/screenshots.mjs REPORT.html FOLDER");
  process.exit(2);
}
const views = ["run", "architecture", "samples", "kernels", "convolution", "tape", "flow", "gradcheck", "mistakes", "algorithms"];
const flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: flags.split(" ") });
// Three quarters of the size: each stays below 100 kB, and its text can be read.
const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, deviceScaleFactor: 0.75, colorScheme: "light", reducedMotion: "reduce" });
await page.goto(pathToFileURL(resolve(report)).href);
await page.evaluate(() => window.gradusReport.ready);
for (const view of views) {
  await page.evaluate((hash) => (location.hash = hash), view);
  await page.waitForTimeout(300);
  const file = join(folder, `report-${view}.png`);
  await page.screenshot({ path: file });
  console.log(file);
}
await browser.close();
