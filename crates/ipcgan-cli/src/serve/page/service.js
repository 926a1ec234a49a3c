// What the page asks of the program that serves it.

export const where = `Your photo goes to the program at ${location.host} and nowhere else, and is not kept.`;

/** The program does not answer. */
export class Unreachable extends Error {
  constructor() {
    super("the program does not answer; start `ipcgan serve` again, this page goes on by itself");
  }
}

async function answered(path, options) {
  const response = await fetch(path, options).catch((error) => {
    throw error.name === "AbortError" ? error : new Unreachable();
  });
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw new Error(answer.error || `the program answered with ${response.status}`);
}

/** Ends when the program answers again, which is looked at every `pause` seconds. */
export async function reachable(pause) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * pause));
    const response = await fetch("api/ages", { method: "HEAD" }).catch(() => null);
    if (response?.ok) return;
  }
}

/** The age groups, and how large a photo may be. */
export const about = async () => (await answered("api/ages")).json();

/** Size of a photo, and where its faces are. */
export const faces = async (photo, signal) =>
  (await answered("api/faces", { method: "POST", body: photo, signal })).json();

/** The photo with `face`, a number or `all`, at `age` years: a picture file. */
export const aged = async (photo, age, face, signal) =>
  (await answered(`api/age?age=${age}&face=${face}`, { method: "POST", body: photo, signal })).blob();
