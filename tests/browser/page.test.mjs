// What people do on the page, by mouse, finger, keyboard and ear.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { chromium } from "playwright-core";
import { contrasts, outsideTheColumn } from "./layout.mjs";
import { data, photo, served, sites } from "./sites.mjs";

const EILEEN = photo("eileen-collins.jpg");
const GRACE = photo("grace-hopper.jpg");
const SCREENSHOTS = process.env.SCREENSHOTS;
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 390, height: 844 };

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
  ],
});
after(() => browser.close());

for (const [name, open] of Object.entries(sites)) {
  describe(`the page ${name}`, () => {
    let site;
    before(async () => { site = await open(); });
    after(() => site.close());

    /** Runs `body` on a new page, and checks that the page sent no request elsewhere and met no error. */
    const onPage = (title, viewport, body) => test(title, async () => {
      const context = await browser.newContext({ viewport, acceptDownloads: true });
      const page = await context.newPage();
      page.setDefaultTimeout(60_000);
      // Listened to from the beginning: a chooser that opens before the browser knows that somebody listens is lost.
      page.on("filechooser", () => {});
      const [requests, errors] = [[], []];
      page.on("request", (request) => requests.push(request.url()));
      page.on("pageerror", (error) => errors.push(error.message));
      page.on("console", (message) => { if (/Content.Security.Policy/.test(message.text())) errors.push(message.text()); });
      try {
        await page.goto(site.address);
        await body(page, title);
        const elsewhere = requests.filter((url) => !url.startsWith(site.address) && !/^(blob|data):/.test(url));
        assert.deepEqual(elsewhere, []);
        assert.deepEqual(errors, []);
      } finally {
        await context.close();
      }
    });

    onPage("ages the one person of a photo, shows the photo before, and gives the file", WIDE, async (page) => {
      await choose(page, EILEEN);

      await waitForStatus(page, "One face found.");
      await shown(page, "The photo at 56 years");
      await keep(page, "aged");
      await shot(page, name, "wide");
      await keepAsItWas(page, "before");
      assert.ok(await different(page, "aged", "before") > 1000, "nothing was changed");
      const downloading = page.waitForEvent("download");
      await page.getByRole("link", { name: "Download" }).click();
      const download = await downloading;
      assert.equal(download.suggestedFilename(), "eileen-collins-56.png");
      const file = await readFile(await download.path());
      assert.equal(file.subarray(1, 4).toString(), "PNG");
    });

    onPage("frames every face, and ages the one that is chosen alone", WIDE, async (page) => {
      await choose(page, await sideBySide(page, [EILEEN, GRACE]));

      await waitForStatus(page, "2 faces found.");
      await shown(page, /years/);
      await keepAsItWas(page, "before");
      const second = page.getByRole("button", { name: "Person 2 from the left" });
      await second.click();
      assert.equal(await second.getAttribute("aria-pressed"), "true");
      assert.equal(await page.getByRole("button", { name: "Person 1 from the left" }).getAttribute("aria-pressed"), "false");
      assert.equal(await page.getByRole("combobox", { name: "Who" }).inputValue(), "2");
      await idle(page);
      await keep(page, "aged");
      await shot(page, name, "two");
      assert.equal(await different(page, "before", "aged", [0, 0.5]), 0, "the other person was changed");
      assert.ok(await different(page, "before", "aged", [0.5, 1]) > 1000, "the chosen person was not changed");
      const [frame, image] = [await second.boundingBox(), await page.locator("#image").boundingBox()];
      assert.ok(frame.x > image.x + image.width / 2 && frame.x + frame.width < image.x + image.width + 1, "the frame is elsewhere");
    });

    onPage("can be used by keyboard alone", WIDE, async (page) => {
      await page.keyboard.press("Tab");
      await page.locator("#file:focus").waitFor();
      const choosing = page.waitForEvent("filechooser");
      await page.keyboard.press("Space");
      await (await choosing).setFiles(EILEEN);
      await waitForStatus(page, "One face found.");
      await page.waitForFunction(() => document.activeElement.id === "age");

      await page.keyboard.press("ArrowLeft");
      await shown(page, "The photo at 55 years");
      await page.keyboard.press("Home");
      await shown(page, "The photo at 16 years");
      assert.equal(await page.getByRole("slider", { name: "Age" }).getAttribute("aria-valuetext"), "16 years");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Space");
      await shown(page, "The photo as it was");
      await page.keyboard.press("Tab");
      assert.equal(await page.evaluate(() => document.activeElement.textContent), "Download");
    });

    onPage("fits a narrow screen, with targets for a finger", NARROW, async (page) => {
      await choose(page, GRACE);
      await shown(page, /years/);

      await shot(page, name, "narrow");
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it is wider than the screen");
      for (const target of await page.locator("input:not([type=checkbox]):visible, a:visible, main > p button:visible").all()) {
        const { height } = await target.boundingBox();
        assert.ok(height >= 44, `${await target.evaluate((element) => element.outerHTML)} is ${height} high`);
      }
    });

    onPage("takes a photo that is dropped", WIDE, async (page) => {
      const bytes = [...await readFile(GRACE)];
      const transfer = await page.evaluateHandle((bytes) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], "dropped.jpg", { type: "image/jpeg" }));
        return transfer;
      }, bytes);
      await page.dispatchEvent("#drop", "drop", { dataTransfer: transfer });

      await waitForStatus(page, "One face found.");
    });

    onPage("says that a photo has no face, is not a photo, or is too large, and goes on", WIDE, async (page) => {
      await choose(page, await drawn(page, 640, 480));
      await waitForStatus(page, "This did not work: no face found in the photo.");
      await choose(page, { name: "notes.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no image at all") });
      await waitForStatus(page, "This did not work: this browser cannot show notes.jpg; convert it to JPEG or PNG.");
      await choose(page, await drawn(page, 9000, 6000));
      await waitForStatus(page, "This did not work: photos are limited to 50 million pixels.");
      await choose(page, { name: "huge.jpg", mimeType: "image/jpeg", buffer: Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.alloc(40 << 20, 7)]) });
      await waitForStatus(page, "This did not work: photos are limited to 32 MB.");

      await choose(page, EILEEN);
      await waitForStatus(page, "One face found.");
    });

    onPage("says how to rotate a photo that is not upright", WIDE, async (page) => {
      await choose(page, await turned(page, GRACE));
      await waitForStatus(page, "This did not work: no face found in the photo; a face is found after rotating by 90 degrees " +
        "counterclockwise: save the photo upright first.");
    });

    onPage("shows the age at which the slider stops, however fast it was moved", WIDE, async (page) => {
      await choose(page, EILEEN);
      await waitForStatus(page, "One face found.");
      const slider = page.getByRole("slider", { name: "Age" });
      await slider.focus();

      for (let press = 0; press < 20; press++) await page.keyboard.press("ArrowLeft");

      await shown(page, "The photo at 36 years");
      await keep(page, "at once");
      await slider.press("ArrowLeft");
      await shown(page, "The photo at 35 years");
      await slider.press("ArrowRight");
      await shown(page, "The photo at 36 years");
      await keep(page, "slowly");
      assert.equal(await different(page, "at once", "slowly"), 0);
    });

    onPage("takes whatever the browser can show, upright", WIDE, async (page) => {
      // A format that the program does not read, of a photo that lies on its side and says so.
      await choose(page, data("sideways.avif"));
      await shown(page, /years/);
      const [width, height] = await page.locator("#image").evaluate((image) => [image.naturalWidth, image.naturalHeight]);
      assert.ok(height > width, `${width} x ${height}`);

      const svg = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>";
      await choose(page, { name: "drawing.svg", mimeType: "image/svg+xml", buffer: Buffer.from(svg) });
      await waitForStatus(page, "This did not work: an SVG file is not a photo.");
    });

    for (const colorScheme of ["light", "dark"]) {
      onPage(`can be read in ${colorScheme} colours, and stays in its column`, NARROW, async (page) => {
        await page.emulateMedia({ colorScheme });
        const check = async () => {
          const faint = (await page.evaluate(contrasts)).filter(({ contrast }) => contrast < 4.5);
          assert.deepEqual(faint, []);
          assert.deepEqual(await page.evaluate(outsideTheColumn), []);
        };
        await page.waitForFunction(() => document.querySelector("#age").max === "56");
        await check();
        await choose(page, { name: `${"long".repeat(40)}.jpg`, mimeType: "image/jpeg", buffer: Buffer.from("none") });
        await waitForStatus(page, /^This did not work/);
        await check();
        await shot(page, name, `${colorScheme}-problem`);
        await choose(page, await sideBySide(page, [EILEEN, GRACE]));
        await shown(page, /years/);
        await check();
        await shot(page, name, `${colorScheme}-two`);
      });
    }

    onPage("looks through the camera, and takes what it sees", NARROW, async (page) => {
      await page.getByRole("button", { name: "Use the camera" }).click();
      await page.waitForFunction(() => document.querySelector("video").videoWidth > 0);
      await page.getByRole("button", { name: "Take the photo" }).click();

      // The browser's camera for tests sees a clock.
      await waitForStatus(page, "This did not work: no face found in the photo.");
      assert.ok(await page.getByRole("region", { name: "Camera" }).isHidden());
    });
  });
}

test("the page says when the program is gone, and goes on when it is back", async () => {
  let site = await served();
  const context = await browser.newContext({ viewport: WIDE });
  try {
    const page = await context.newPage();
    await page.goto(site.address);
    await choose(page, EILEEN);
    await shown(page, "The photo at 56 years");

    await site.close();
    await page.getByRole("slider", { name: "Age" }).press("Home");
    await waitForStatus(page, "This did not work: the server is unreachable; restart `ipcgan serve`, and this page reconnects automatically.");
    await shot(page, "gone", "wide");
    site = await served(new URL(site.address).port);

    await shown(page, "The photo at 16 years");
    await waitForStatus(page, "Reconnected.");
  } finally {
    await context.close();
    await site.close();
  }
});

test("a browser reads why a body of 40 MB is refused", async () => {
  const site = await served();
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(site.address);

    const refused = await page.evaluate(async () => {
      const response = await fetch("api/faces", { method: "POST", body: new Uint8Array(40 << 20) });
      return [response.status, (await response.json()).error];
    });

    assert.deepEqual(refused, [413, "photos are limited to 32 MB"]);
  } finally {
    await context.close();
    await site.close();
  }
});

const choose = (page, chosen) => page.locator("#file").setInputFiles(chosen);

const waitForStatus = (page, words) => page.getByRole("status").filter({ hasText: words }).waitFor();

/** Waits until nothing is being aged and the image has been loaded. */
const idle = (page) => page.waitForFunction(() => {
  const image = document.querySelector("#image");
  return !document.querySelector("#stage").classList.contains("working") && image.complete && image.naturalWidth > 0;
});

/** Waits for an image with an alternative text of `name`, and until it has been loaded. */
async function shown(page, name) {
  await page.getByRole("img", { name }).waitFor();
  await idle(page);
}

/** Keeps the photo as it was, in the page, as `name`. */
async function keepAsItWas(page, name) {
  const box = page.getByRole("checkbox", { name: "Show the photo as it was" });
  await box.check();
  await shown(page, "The photo as it was");
  await keep(page, name);
  await box.uncheck();
  await idle(page);
}

/** Keeps the image that is shown, in the page, as `name`. */
const keep = (page, name) => page.evaluate(async (name) => {
  const image = document.querySelector("#image");
  await image.decode();
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  canvas.getContext("2d").drawImage(image, 0, 0);
  (window.kept ??= {})[name] = canvas;
}, name);

/** How many numbers of two images that were kept differ, from the share `from` of their width to the share `to`. */
const different = (page, one, other, [from, to] = [0, 1]) => page.evaluate(([one, other, from, to]) => {
  const [a, b] = [one, other].map((name) => {
    const { [name]: canvas } = window.kept;
    const [left, right] = [from, to].map((share) => share * canvas.width);
    return canvas.getContext("2d").getImageData(left, 0, right - left, canvas.height).data;
  });
  return a.length === b.length ? a.filter((value, index) => value !== b[index]).length : Infinity;
}, [one, other, from, to]);

/** A file with the photos at `paths` beside one another. */
async function sideBySide(page, paths) {
  const files = await Promise.all(paths.map(async (path) => (await readFile(path)).toString("base64")));
  const url = await page.evaluate(async (files) => {
    const load = async (file) => createImageBitmap(new Blob([Uint8Array.from(atob(file), (c) => c.charCodeAt(0))]));
    const images = await Promise.all(files.map(load));
    const high = Math.max(...images.map((image) => image.height));
    const wide = Math.max(...images.map((image) => image.width));
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [wide * images.length, high];
    images.forEach((image, place) => canvas.getContext("2d").drawImage(image, place * wide, 0));
    return canvas.toDataURL("image/png");
  }, files);
  return fileOf(url, "two.png");
}

/** A file with the photo at `path` rotated by 90 degrees clockwise. */
async function turned(page, path) {
  const url = await page.evaluate(async (file) => {
    const photo = await createImageBitmap(new Blob([Uint8Array.from(atob(file), (c) => c.charCodeAt(0))]));
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [photo.height, photo.width];
    const context = canvas.getContext("2d");
    context.translate(photo.height, 0);
    context.rotate(Math.PI / 2);
    context.drawImage(photo, 0, 0);
    return canvas.toDataURL("image/png");
  }, (await readFile(path)).toString("base64"));
  return fileOf(url, "turned.png");
}

/** A file with a drawing that is not a face. */
async function drawn(page, width, height) {
  const url = await page.evaluate(([width, height]) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d");
    const sky = context.createLinearGradient(0, 0, 0, height);
    sky.addColorStop(0, "#36c");
    sky.addColorStop(1, "#fed");
    context.fillStyle = sky;
    context.fillRect(0, 0, width, height);
    return canvas.toDataURL("image/png");
  }, [width, height]);
  return fileOf(url, "drawn.png");
}

const fileOf = (url, name) => ({ name, mimeType: "image/png", buffer: Buffer.from(url.split(",")[1], "base64") });

/** Keeps an image of the page, for eyes; SCREENSHOTS is the folder. */
async function shot(page, site, name) {
  if (!SCREENSHOTS) return;
  await mkdir(SCREENSHOTS, { recursive: true });
  await idle(page);
  await page.screenshot({ path: `${SCREENSHOTS}/${site.replaceAll(" ", "-")}-${name}.png`, fullPage: true });
}
