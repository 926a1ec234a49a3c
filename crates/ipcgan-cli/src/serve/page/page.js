import * as service from "./service.js";

const part = (id) => document.getElementById(id);
const [file, drop, camera, viewfinder, live, take, stop] =
  ["file", "drop", "camera", "viewfinder", "live", "take", "stop"].map(part);
const [where, said, result, stage, picture, boxes, caption, people, who, age, years, before, download] =
  ["where", "said", "result", "stage", "picture", "boxes", "caption", "people", "who", "age", "years", "before", "download"].map(part);

let photo = null; // the file that was chosen
let original = null; // its address in this page
let made = new Map(); // addresses of aged photos by age and person
let turn = 0; // answers to older questions are not shown
let question = new AbortController(); // the newest one; older ones are taken back
const about = service.about();

/** The signal of a new question, which takes back the one before. */
function newest() {
  question.abort();
  question = new AbortController();
  return question.signal;
}

function failed(error) {
  stage.classList.remove("working");
  said.textContent = `This did not work: ${error.message}.`;
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
    const { most_megabytes: most } = await about;
    if (chosen.size > most * 1024 * 1024) throw new Error(`a photo may have ${most} megabytes at most`);
    const found = await service.faces(chosen, newest());
    if (mine !== turn) return;
    if (found.faces.length === 0) throw new Error("no face was found in the photo");
    frame(found);
    said.textContent = found.faces.length === 1 ? "One face found." : `${found.faces.length} faces found.`;
    picture.src = original;
    result.hidden = false;
    await show();
    age.focus();
  } catch (error) {
    if (mine === turn) failed(error);
  }
}

const called = (face) => `Person ${face.number} from the left`;

/** Draws the faces' frames, by which a person can be chosen too. */
function frame({ width, height, faces }) {
  who.replaceChildren(new Option("Everybody", "all"), ...faces.map((face) => new Option(called(face), face.number)));
  people.hidden = faces.length < 2;
  boxes.replaceChildren(...faces.map((face) => {
    const [left, top, wide, high] = face.box;
    const box = document.createElement("button");
    box.type = "button";
    box.dataset.number = face.number;
    box.setAttribute("aria-label", called(face));
    const share = (value, whole) => `${(100 * value) / whole}%`;
    Object.assign(box.style, { left: share(left, width), top: share(top, height), width: share(wide, width), height: share(high, height) });
    box.addEventListener("click", () => {
      who.value = who.value === box.dataset.number ? "all" : box.dataset.number;
      show();
    });
    return box;
  }));
}

async function show() {
  const mine = ++turn;
  years.textContent = `${age.value} years`;
  age.setAttribute("aria-valuetext", years.textContent);
  for (const box of boxes.children) {
    box.setAttribute("aria-pressed", String(who.value === "all" || who.value === box.dataset.number));
  }
  if (before.checked) {
    newest();
    stage.classList.remove("working");
    picture.src = original;
    picture.alt = caption.textContent = "The photo as it was";
    return;
  }
  const key = `${age.value} ${who.value}`;
  try {
    if (!made.has(key)) {
      stage.classList.add("working");
      const address = URL.createObjectURL(await service.aged(photo, age.value, who.value, newest()));
      if (mine !== turn) return URL.revokeObjectURL(address);
      made.set(key, address);
    }
    stage.classList.remove("working");
    picture.src = download.href = made.get(key);
    picture.alt = caption.textContent = `The photo at ${age.value} years`;
    download.download = `${photo.name.replace(/\.[^.]*$/, "")}-${age.value}.png`;
  } catch (error) {
    if (mine === turn) failed(error);
  }
}

async function look() {
  try {
    live.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 } } });
    viewfinder.hidden = false;
    take.focus();
  } catch (error) {
    failed(error.name === "NotFoundError" ? new Error("there is no camera") : error);
  }
}

function lookAway() {
  for (const track of live.srcObject?.getTracks() ?? []) track.stop();
  live.srcObject = null;
  viewfinder.hidden = true;
}

function photograph() {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [live.videoWidth, live.videoHeight];
  canvas.getContext("2d").drawImage(live, 0, 0);
  lookAway();
  canvas.toBlob((blob) => choose(new File([blob], "camera.png", { type: "image/png" })));
}

async function begin() {
  where.textContent = service.where;
  // Browsers give pages without encryption no camera.
  camera.hidden = !navigator.mediaDevices?.getUserMedia;
  try {
    const { groups } = await about;
    age.min = Math.floor(groups[0].middle);
    age.max = Math.ceil(groups[groups.length - 1].middle);
    age.value = age.max;
  } catch (error) {
    failed(error);
  }
}

file.addEventListener("change", () => choose(file.files[0]));
camera.addEventListener("click", look);
take.addEventListener("click", photograph);
stop.addEventListener("click", lookAway);
age.addEventListener("input", show);
who.addEventListener("change", show);
before.addEventListener("change", show);
drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); choose(event.dataTransfer.files[0]); });
begin();
