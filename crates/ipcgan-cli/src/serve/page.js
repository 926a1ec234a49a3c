"use strict";
const part = (id) => document.getElementById(id);
const [file, drop, said, result, picture, caption, people, who, age, years, before, download] = [
  "file", "drop", "said", "result", "picture", "caption", "people", "who", "age", "years", "before", "download",
].map(part);

let photo = null; // the file that was chosen
let original = null; // its address in this page
let made = new Map(); // addresses of aged photos by age and person
let turn = 0; // answers to older questions are not shown
let question = new AbortController(); // the newest one; older ones are taken back

async function ask(path, body) {
  question.abort();
  question = new AbortController();
  const response = await fetch(path, { method: "POST", body, signal: question.signal });
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw new Error(answer.error || `the program answered with ${response.status}`);
}

async function choose(chosen) {
  if (!chosen) return;
  const mine = ++turn;
  said.textContent = "Looking for faces…";
  result.hidden = true;
  for (const address of made.values()) URL.revokeObjectURL(address);
  if (original) URL.revokeObjectURL(original);
  made = new Map();
  photo = chosen;
  original = URL.createObjectURL(chosen);
  try {
    const { faces } = await (await ask("/api/faces", chosen)).json();
    if (mine !== turn) return;
    if (faces.length === 0) throw new Error("no face was found in the photo");
    who.replaceChildren(new Option("everybody", "all"), ...faces.map((face) => new Option(`person ${face.number} from the left`, face.number)));
    people.hidden = faces.length < 2;
    said.textContent = faces.length === 1 ? "One face found." : `${faces.length} faces found.`;
    result.hidden = false;
    await show();
    age.focus();
  } catch (error) {
    if (mine === turn) said.textContent = `This did not work: ${error.message}.`;
  }
}

async function show() {
  const mine = ++turn;
  years.textContent = `${age.value} years`;
  age.setAttribute("aria-valuetext", years.textContent);
  if (before.checked) {
    picture.src = original;
    picture.alt = caption.textContent = "The photo as it was";
    return;
  }
  const key = `${age.value} ${who.value}`;
  try {
    if (!made.has(key)) {
      const answer = await ask(`/api/age?age=${age.value}&face=${who.value}`, photo);
      const address = URL.createObjectURL(await answer.blob());
      if (mine !== turn) return URL.revokeObjectURL(address);
      made.set(key, address);
    }
    picture.src = download.href = made.get(key);
    picture.alt = caption.textContent = `The photo at ${age.value} years`;
    download.download = `${photo.name.replace(/\.[^.]*$/, "")}-${age.value}.png`;
  } catch (error) {
    if (mine === turn) said.textContent = `This did not work: ${error.message}.`;
  }
}

async function begin() {
  const { groups } = await (await fetch("/api/ages")).json();
  age.min = Math.floor(groups[0].middle);
  age.max = Math.ceil(groups[groups.length - 1].middle);
  age.value = age.max;
}

file.addEventListener("change", () => choose(file.files[0]));
age.addEventListener("input", show);
who.addEventListener("change", show);
before.addEventListener("change", show);
drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); choose(event.dataTransfer.files[0]); });
begin();
