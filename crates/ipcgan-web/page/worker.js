// Runs the networks beside the page, so that the page stays quick.

import init, { Aging } from "./ipcgan_web.js";

const ready = init().then(() => new Aging());

async function answer({ name, photo, age, face }) {
  const aging = await ready;
  switch (name) {
    case "about": return aging.about();
    case "open": return aging.open(new Uint8Array(await photo.arrayBuffer()));
    case "aged": return aging.aged(age, face);
  }
}

addEventListener("message", async ({ data }) => {
  try {
    postMessage({ answer: await answer(data) });
  } catch (error) {
    const broken = error instanceof WebAssembly.RuntimeError;
    postMessage({ error: broken ? "the program in the page broke down; load the page anew" : error.message ?? String(error) });
  }
});
