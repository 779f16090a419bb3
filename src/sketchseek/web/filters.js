// What narrows a search down: a folder, and the days that photos are from.

export class Filters extends EventTarget {
  // Event: "change". The elements: details, folder, folders (a datalist), after, before, clear, count.
  constructor(elements) {
    super();
    this.elements = elements;
    const { folder, after, before, clear } = elements;
    for (const input of [folder, after, before]) input.addEventListener("change", () => this.#changed());
    clear.addEventListener("click", () => this.clear());
  }

  get active() {
    return Object.keys(this.bounds).length;
  }

  // As the API takes them. The last day counts as a whole: the API's `before` is the day after it.
  get bounds() {
    const { folder, after, before } = this.elements;
    return boundsOf(folder.value, after.value, before.value);
  }

  setFolder(path) {
    this.elements.folder.value = path;
    this.elements.details.open = true;
    this.#changed();
  }

  clear() {
    for (const name of ["folder", "after", "before"]) this.elements[name].value = "";
    this.#changed();
  }

  // Folders to choose from.
  suggest(paths) {
    const options = paths.map((path) => Object.assign(document.createElement("option"), { value: path }));
    this.elements.folders.replaceChildren(...options);
  }

  #changed() {
    const { count, clear } = this.elements;
    count.textContent = this.active || "";
    count.hidden = clear.hidden = !this.active;
    this.dispatchEvent(new Event("change"));
  }
}

// folder: a path or nothing; after, before: days as YYYY-MM-DD or nothing, in the browser's own time.
export function boundsOf(folder, after, before) {
  const bounds = {};
  if (folder.trim()) bounds.folder = folder.trim();
  if (after) bounds.after = midnight(after, 0);
  if (before) bounds.before = midnight(before, 1);
  return bounds;
}

function midnight(day, later) {
  const [year, month, date] = day.split("-").map(Number);
  const when = new Date(2000, 0, 1);
  when.setFullYear(year, month - 1, date + later); // the constructor takes years below 100 for others
  return when.toISOString();
}
