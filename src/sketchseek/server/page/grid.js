// The grid of results: places stay where they are, and a new photo fades in over the old one once it is decoded.

import { thumbnailUrl } from "./api.js";
import { texts } from "./texts.js";

const SIZE = devicePixelRatio > 1.25 ? 640 : 320;

export class Grid {
  // onOpen(index) is called when a result is chosen.
  constructor(list, onOpen) {
    this.list = list;
    this.results = [];
    list.addEventListener("click", (event) => {
      const tile = event.target.closest("button");
      if (tile) onOpen([...list.children].indexOf(tile.parentElement));
    });
    list.addEventListener("keydown", (event) => this.#walk(event));
  }

  show(results) {
    this.results = results;
    while (this.list.children.length > results.length) this.list.lastElementChild.remove();
    results.forEach((result, index) => this.#place(this.list.children[index] ?? this.#newPlace(), result));
  }

  focus(index) {
    this.list.children[index]?.firstElementChild.focus();
  }

  #newPlace() {
    const place = document.createElement("li");
    const tile = document.createElement("button");
    tile.type = "button";
    tile.append(caption());
    place.append(tile);
    this.list.append(place);
    return place;
  }

  #place(place, result) {
    const tile = place.firstElementChild;
    tile.setAttribute("aria-label", texts.result(result.rank, result.name));
    tile.title = result.path;
    tile.lastElementChild.textContent = result.name;
    if (place.dataset.id === String(result.id)) return;
    place.dataset.id = result.id;
    if (place.coming) place.coming.src = ""; // give up what was overtaken, so that the connection is free
    const image = new Image();
    image.alt = "";
    image.decoding = "async";
    image.className = "coming";
    image.src = thumbnailUrl(result.id, SIZE);
    place.coming = image;
    const show = (failed) => {
      if (place.coming === image) place.coming = null;
      if (place.dataset.id !== String(result.id)) return; // overtaken by a newer answer
      const old = [...tile.querySelectorAll("img, .missing")];
      const shown = failed ? missing() : image;
      tile.prepend(...old, shown);
      requestAnimationFrame(() => requestAnimationFrame(() => shown.classList.remove("coming")));
      setTimeout(() => old.forEach((one) => one.remove()), 200);
    };
    image.decode().then(() => show(false), () => show(true));
  }

  #walk(event) {
    const places = [...this.list.children];
    const at = places.indexOf(event.target.closest("li"));
    if (at < 0) return;
    const columns = getComputedStyle(this.list).gridTemplateColumns.split(" ").length;
    const start = getComputedStyle(this.list).direction === "rtl" ? -1 : 1;
    const step = { ArrowRight: start, ArrowLeft: -start, ArrowDown: columns, ArrowUp: -columns }[event.key];
    const target = event.key === "Home" ? 0 : event.key === "End" ? places.length - 1 : at + step;
    if (Number.isNaN(target) || !places[target]) return;
    event.preventDefault();
    this.focus(target);
  }
}

function caption() {
  const element = document.createElement("span");
  element.className = "caption";
  element.setAttribute("aria-hidden", "true");
  return element;
}

function missing() {
  const element = document.createElement("span");
  element.className = "missing coming";
  element.textContent = texts.missing;
  return element;
}
