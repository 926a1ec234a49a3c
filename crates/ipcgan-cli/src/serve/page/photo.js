// Converts any image that the browser can show to a format that the server reads.

const READ_BY_ALL = [
  [0xff, 0xd8, 0xff], // JPEG
  [0x89, 0x50, 0x4e, 0x47], // PNG
  [0x52, 0x49, 0x46, 0x46, null, null, null, null, 0x57, 0x45, 0x42, 0x50], // WebP
];
// Maximum canvas size of Safari on phones.
const MAX_CANVAS_PIXELS = 4096 * 4096;
const JPEG_QUALITY = 0.95;

async function isReadByAll(file) {
  const head = new Uint8Array(await file.slice(0, 12).arrayBuffer());
  return READ_BY_ALL.some((magic) => magic.every((byte, place) => byte === null || head[place] === byte));
}

async function isDrawing(file) {
  const head = await file.slice(0, 1024).text();
  return file.type === "image/svg+xml" || /<svg[\s>]/i.test(head);
}

/** The decoded image in `file`, upright. */
async function decoded(file) {
  const image = new Image();
  const address = URL.createObjectURL(file);
  try {
    image.src = address;
    await image.decode();
    return image;
  } catch {
    throw new Error(`this browser cannot show ${file.name || "the photo"}; convert it to JPEG or PNG`);
  } finally {
    URL.revokeObjectURL(address);
  }
}

const encoded = (canvas, type) => new Promise((resolve) => canvas.toBlob(resolve, type, JPEG_QUALITY));

/** `chosen`, or its image as PNG, or as JPEG if the PNG is larger than `maxBytes`; and a note on the conversion. */
export async function readable(chosen, maxBytes) {
  if (await isReadByAll(chosen)) return { photo: chosen, note: "" };
  if (await isDrawing(chosen)) throw new Error("an SVG file is not a photo");
  const image = await decoded(chosen);
  const pixels = image.naturalWidth * image.naturalHeight;
  const scale = Math.min(1, Math.sqrt(MAX_CANVAS_PIXELS / pixels));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(image.naturalWidth * scale));
  canvas.height = Math.max(1, Math.floor(image.naturalHeight * scale));
  const context = canvas.getContext("2d");
  // JPEG has no transparency; the server uses a white background as well.
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  let blob = await encoded(canvas, "image/png");
  if (blob && blob.size > maxBytes) blob = await encoded(canvas, "image/jpeg");
  if (!blob) throw new Error("this browser cannot convert the photo; convert it to JPEG or PNG");
  const note = scale < 1 ? ` The photo was downscaled to ${canvas.width} × ${canvas.height} pixels.` : "";
  return { photo: new File([blob], chosen.name, { type: blob.type }), note };
}
