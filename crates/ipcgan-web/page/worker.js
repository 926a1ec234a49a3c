// Web worker that runs the networks, so that the page stays responsive.

import init, { Aging } from "./ipcgan_web.js";

let aging = null; // the networks; loading is retried after a failure

function loaded() {
  aging ??= init().then(() => new Aging()).catch((error) => {
    aging = null;
    throw error;
  });
  return aging;
}

async function run(networks, { name, photo, age, face }) {
  switch (name) {
    case "about": return networks.about();
    case "open": return networks.open(new Uint8Array(await photo.arrayBuffer()));
    case "aged": return networks.aged(age, face);
  }
}

addEventListener("message", async ({ data }) => {
  let networks;
  try {
    networks = await loaded();
  } catch {
    return postMessage({ unreachable: true });
  }
  try {
    postMessage({ result: await run(networks, data) });
  } catch (error) {
    const broken = error instanceof WebAssembly.RuntimeError;
    postMessage({ error: broken ? "the WebAssembly module crashed; reload the page" : error.message ?? String(error) });
  }
});
