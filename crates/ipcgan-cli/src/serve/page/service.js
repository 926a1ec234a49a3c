// HTTP API client of the page.

export const where = `Your photo goes to the program at ${location.host} and nowhere else, and is not kept.`;

/** The server is unreachable. */
export class Unreachable extends Error {
  constructor() {
    super("the server is unreachable; restart `ipcgan serve`, and this page reconnects automatically");
  }
}

async function request(path, options) {
  const response = await fetch(path, options).catch((error) => {
    throw error.name === "AbortError" ? error : new Unreachable();
  });
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new Error(body.error || `the server returned status ${response.status}`);
}

/** Resolves when the server is reachable again; polls every `pause` seconds. */
export async function reachable(pause) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * pause));
    const response = await fetch("api/ages", { method: "HEAD" }).catch(() => null);
    if (response?.ok) return;
  }
}

/** Age groups and upload limit. */
export const about = async () => (await request("api/ages")).json();

/** Size and faces of a photo. */
export const faces = async (photo, signal) =>
  (await request("api/faces", { method: "POST", body: photo, signal })).json();

/** The photo with `face` (a number or `all`) at `age` years, as an image file. */
export const aged = async (photo, age, face, signal) =>
  (await request(`api/age?age=${age}&face=${face}`, { method: "POST", body: photo, signal })).blob();
