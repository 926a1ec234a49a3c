// The same interface as the HTTP client, with the networks in a web worker.

export const where = "Your photo stays in this page: the networks run in your browser.";

/** The networks could not be loaded. */
export class Unreachable extends Error {
  constructor() {
    super("the networks could not be loaded; this page retries automatically");
  }
}

let worker = null;
let current = null; // the request in progress
let next = null; // the newest waiting request; older ones are dropped

function start() {
  worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data }) => finish(data));
  // The script, or one that it imports, could not be loaded.
  worker.addEventListener("error", () => {
    worker = null;
    next?.settle({ unreachable: true });
    next = null;
    finish({ unreachable: true });
  });
}

function finish(response) {
  const finished = current;
  [current, next] = [next, null];
  if (current) worker.postMessage(current.request);
  finished?.settle(response);
}

function send(request) {
  if (!worker) start();
  return new Promise((resolve, reject) => {
    const settle = ({ result, error, unreachable }) => {
      if (unreachable) reject(new Unreachable());
      else if (error) reject(new Error(error));
      else resolve(result);
    };
    next?.settle({ error: "superseded by a newer request" });
    if (current) next = { request, settle };
    else worker.postMessage((current = { request, settle }).request);
  });
}

/** Resolves when the address of the page is reachable again; polls every `pause` seconds. */
export async function reachable(pause) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * pause));
    const response = await fetch("worker.js", { method: "HEAD", cache: "no-store" }).catch(() => null);
    if (response?.ok) return;
  }
}

/** Age groups and upload limit. */
export const about = async () => JSON.parse(await send({ name: "about" }));

/** Size and faces of a photo. */
export const faces = async (photo) => JSON.parse(await send({ name: "open", photo }));

/** The photo that was opened last with `face` (a number or `all`) at `age` years, as an image file. */
export const aged = async (photo, age, face) =>
  new Blob([await send({ name: "aged", age: String(age), face: face === "all" ? undefined : Number(face) })], { type: "image/png" });
