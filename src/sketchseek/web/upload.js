// Pictures as queries: chosen, pasted or dropped.

// Call onFile(file, kind) for each picture that reaches the page; kind is known only for photographed paper.
export function watchForPictures({ button, input, paperButton, camera, drop, onFile }) {
  for (const [opener, chooser, kind] of [
    [button, input],
    [paperButton, camera, "sketch"],
  ]) {
    opener.addEventListener("click", () => chooser.click());
    chooser.addEventListener("change", () => {
      if (chooser.files[0]) onFile(chooser.files[0], kind);
      chooser.value = "";
    });
  }
  addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])][0];
    if (file) {
      event.preventDefault();
      onFile(file);
    }
  });
  let depth = 0;
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth++;
    drop.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (hasFiles(event) && --depth <= 0) drop.hidden = true;
  });
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    drop.hidden = true;
    if (event.dataTransfer.files[0]) onFile(event.dataTransfer.files[0]);
  });
}

// Draw a picture file into a canvas, whole, and guess whether it shows a drawing or a photo, which the user can change.
// A file that the browser cannot read (TIFF, for one) is left to the server: the answer is null. Where wanted() says so,
// another picture came meanwhile, and this one is left alone.
export async function preview(file, canvas, wanted = () => true) {
  let image;
  try {
    image = await decode(file);
  } catch {
    return null;
  }
  if (!wanted()) return null;
  const scale = Math.min(1, 800 / Math.max(image.width, image.height));
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return looksLikeDrawing(canvas) ? "sketch" : "photo";
}

function looksLikeDrawing(canvas) {
  const small = document.createElement("canvas");
  small.width = small.height = 64;
  const context = small.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0, 64, 64);
  return isMostlyPaper(context.getImageData(0, 0, 64, 64).data);
}

// A drawing is mostly paper: one shade, and few pixels with much color. data: RGBA bytes.
export function isMostlyPaper(data) {
  const pixels = data.length / 4;
  const counts = new Array(10).fill(0);
  let colorful = 0;
  for (let i = 0; i < data.length; i += 4) {
    const [r, g, b] = [data[i], data[i + 1], data[i + 2]];
    counts[Math.round((r + g + b) / 96)]++;
    if (Math.max(r, g, b) - Math.min(r, g, b) > 60) colorful++;
  }
  const paper = Math.max(...counts.map((count, shade) => count + (counts[shade + 1] ?? 0)));
  return paper > 0.55 * pixels && colorful < 0.1 * pixels;
}

async function decode(file) {
  if (file.type !== "image/svg+xml") return createImageBitmap(file);
  const url = URL.createObjectURL(file);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    return image.width ? image : Promise.reject(new Error("no size"));
  } finally {
    URL.revokeObjectURL(url);
  }
}
