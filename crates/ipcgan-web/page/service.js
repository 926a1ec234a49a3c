// What the page asks, answered by the networks in the page itself.

export const where = "Your photo stays in this page: the networks run in your browser.";

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
let now = null; // the question that is worked on
let next = null; // the newest that waits; one before it is not asked any more

worker.addEventListener("message", ({ data }) => {
  const { settle } = now;
  now = null;
  if (next) [now, next] = [next, null];
  if (now) worker.postMessage(now.question);
  settle(data);
});

function ask(question) {
  return new Promise((resolve, reject) => {
    const settle = ({ answer, error }) => (error ? reject(new Error(error)) : resolve(answer));
    next?.settle({ error: "a newer question came" });
    if (now) next = { question, settle };
    else worker.postMessage((now = { question, settle }).question);
  });
}

/** The age groups, and how large a photo may be. */
export const about = async () => JSON.parse(await ask({ name: "about" }));

/** Size of a photo, and where its faces are. */
export const faces = async (photo) => JSON.parse(await ask({ name: "open", photo }));

/** The photo that was opened last with `face`, a number or `all`, at `age` years: a picture file. */
export const aged = async (photo, age, face) =>
  new Blob([await ask({ name: "aged", age: Number(age), face: face === "all" ? undefined : Number(face) })], { type: "image/png" });
