// What the page asks, answered by the program that serves it.

export const where = `Your photo goes to the program at ${location.host} and nowhere else, and is not kept.`;

async function answered(path, options) {
  const response = await fetch(path, options);
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw new Error(answer.error || `the program answered with ${response.status}`);
}

/** The age groups, and how large a photo may be. */
export const about = async () => (await answered("api/ages")).json();

/** Size of a photo, and where its faces are. */
export const faces = async (photo, signal) =>
  (await answered("api/faces", { method: "POST", body: photo, signal })).json();

/** The photo with `face`, a number or `all`, at `age` years: a picture file. */
export const aged = async (photo, age, face, signal) =>
  (await answered(`api/age?age=${age}&face=${face}`, { method: "POST", body: photo, signal })).blob();
