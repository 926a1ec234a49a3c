// Time to the first image and memory of the page in a browser alone: node measure.mjs [PHOTO...]

import { readFileSync, readdirSync } from "node:fs";
import { basename } from "node:path";
import { chromium } from "playwright-core";
import { photo, sites } from "./sites.mjs";

const site = await sites["in the browser alone"]();
const photos = process.argv.length > 2 ? process.argv.slice(2) : [photo("eileen-collins.jpg")];

/** Most memory that any of Chromium's page processes has had, in megabytes. */
const peak = () => Math.max(...readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map((id) => {
  try {
    if (!readFileSync(`/proc/${id}/cmdline`, "utf8").includes("--type=renderer")) return 0;
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))[1]) / 1024;
  } catch {
    return 0;
  }
}));

for (const path of photos) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
  const page = await browser.newPage();
  page.setDefaultTimeout(120_000);
  const began = performance.now();
  await page.goto(site.address);
  await page.waitForFunction(() => document.querySelector("#age").max === "56");
  const ready = performance.now();
  await page.locator("#file").setInputFiles(path);
  await page.getByRole("img", { name: /years/ }).waitFor();
  const shown = performance.now();
  await page.getByRole("slider").press("ArrowLeft");
  await page.getByRole("img", { name: "The photo at 55 years" }).waitFor();
  const again = performance.now();
  const seconds = (from, to) => ((to - from) / 1000).toFixed(2);
  console.log(`${basename(path)}: ready ${seconds(began, ready)} s, first image ${seconds(ready, shown)} s, next age ${seconds(shown, again)} s, ${peak().toFixed(0)} MB at most`);
  await browser.close();
}
site.close();
