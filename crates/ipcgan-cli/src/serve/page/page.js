import { readable } from "./photo.js";
import * as service from "./service.js";

const part = (id) => document.getElementById(id);
const [file, drop, camera, viewfinder, live, take, stop] =
  ["file", "drop", "camera", "viewfinder", "live", "take", "stop"].map(part);
const [where, status, result, stage, image, boxes, caption, faceChoice, faceSelect, age, years, before, download] =
  ["where", "status", "result", "stage", "image", "boxes", "caption", "face-choice", "face", "age", "years", "before", "download"].map(part);

let limits = null; // age groups and upload limit
let photo = null; // the selected file, in a format that the server reads
let original = null; // its object URL
let made = new Map(); // object URLs of aged photos by age and person
let attempts = 0; // responses to older attempts are ignored
let request = new AbortController(); // the newest one; older ones are aborted

/** Abort signal of a new request; aborts the previous one. */
function newest() {
  request.abort();
  request = new AbortController();
  return request.signal;
}

function report(text) {
  status.classList.remove("problem");
  status.textContent = text;
}

function failed(error) {
  stage.classList.remove("working");
  status.classList.add("problem");
  status.textContent = `This did not work: ${error.message}.`;
}

/** Runs `work` and shows its error; if the server is unreachable, retries when it is reachable again. */
async function attempt(work, pause = 1) {
  const mine = ++attempts;
  const isNewest = () => mine === attempts;
  try {
    await work(isNewest);
  } catch (error) {
    if (!isNewest()) return;
    failed(error);
    if (!(error instanceof service.Unreachable)) return;
    await service.reachable(pause);
    if (!isNewest()) return;
    report("Reconnected.");
    await attempt(work, Math.min(30, 2 * pause));
  }
}

async function begin() {
  limits = await service.about();
  const { groups } = limits;
  age.min = Math.floor(groups[0].middle);
  age.max = Math.ceil(groups[groups.length - 1].middle);
  age.value = age.max;
}

function choose(chosen) {
  if (!chosen) return;
  result.hidden = true;
  for (const address of made.values()) URL.revokeObjectURL(address);
  if (original) URL.revokeObjectURL(original);
  [made, photo, original] = [new Map(), null, null];
  return attempt(async (isNewest) => {
    report("Detecting faces…");
    if (!limits) await begin();
    const { max_upload_mb: max } = limits;
    const { photo: converted, note } = await readable(chosen, max << 20);
    if (!isNewest()) return;
    if (converted.size > max * 1024 * 1024) throw new Error(`photos are limited to ${max} MB`);
    const found = await service.faces(converted, newest());
    if (!isNewest()) return;
    if (found.faces.length === 0) throw new Error(`no face found in the photo${found.hint ? `; ${found.hint}` : ""}`);
    photo = converted;
    original = URL.createObjectURL(photo);
    frame(found);
    report((found.faces.length === 1 ? "One face found." : `${found.faces.length} faces found.`) + note);
    image.src = original;
    result.hidden = false;
    age.focus();
    show();
  });
}

const called = (face) => `Person ${face.number} from the left`;

/** Draws clickable boxes around the faces. */
function frame({ width, height, faces }) {
  faceSelect.replaceChildren(new Option("Everybody", "all"), ...faces.map((face) => new Option(called(face), face.number)));
  faceChoice.hidden = faces.length < 2;
  boxes.replaceChildren(...faces.map((face) => {
    const [left, top, wide, high] = face.bounds;
    const box = document.createElement("button");
    box.type = "button";
    box.dataset.number = face.number;
    box.setAttribute("aria-label", called(face));
    const share = (value, whole) => `${(100 * value) / whole}%`;
    Object.assign(box.style, { left: share(left, width), top: share(top, height), width: share(wide, width), height: share(high, height) });
    box.addEventListener("click", () => {
      faceSelect.value = faceSelect.value === box.dataset.number ? "all" : box.dataset.number;
      show();
    });
    return box;
  }));
}

function show() {
  if (!photo) return;
  years.textContent = `${age.value} years`;
  age.setAttribute("aria-valuetext", years.textContent);
  for (const box of boxes.children) {
    box.setAttribute("aria-pressed", String(faceSelect.value === "all" || faceSelect.value === box.dataset.number));
  }
  return attempt(async (isNewest) => {
    const signal = newest();
    if (before.checked) {
      stage.classList.remove("working");
      image.src = original;
      image.alt = caption.textContent = "The photo as it was";
      return;
    }
    const [shown, face] = [age.value, faceSelect.value];
    const key = `${shown} ${face}`;
    if (!made.has(key)) {
      stage.classList.add("working");
      const address = URL.createObjectURL(await service.aged(photo, shown, face, signal));
      if (!isNewest()) return URL.revokeObjectURL(address);
      made.set(key, address);
    }
    stage.classList.remove("working");
    if (status.classList.contains("problem")) report("");
    image.src = download.href = made.get(key);
    image.alt = caption.textContent = `The photo at ${shown} years`;
    download.download = `${photo.name.replace(/\.[^.]*$/, "")}-${shown}.png`;
  });
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

where.textContent = service.where;
// Browsers allow camera access only on secure pages.
camera.hidden = !navigator.mediaDevices?.getUserMedia;
file.addEventListener("change", () => choose(file.files[0]));
camera.addEventListener("click", look);
take.addEventListener("click", photograph);
stop.addEventListener("click", lookAway);
age.addEventListener("input", show);
faceSelect.addEventListener("change", show);
before.addEventListener("change", show);
drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); choose(event.dataTransfer.files[0]); });
attempt(begin);
