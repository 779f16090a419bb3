// The sheet of paper: turns mouse, pen and touch into strokes and draws them.

import { context2d } from "./elements.js";
import { drawStroke, isPressed } from "./ink.js";
import { shapePoints } from "./shapes.js";
import { SheetView } from "./sheet-view.js";
import { Sketch, toApi, UNITS } from "./strokes.js";

/** @import { Point, Shape, Stroke } from "./types.d.ts" */

const NEAR = 1.5; // points closer than this to the last one are left out, in units at which the whole sheet is shown
const ERASER = 12; // radius, in units at which the whole sheet is shown
const PEN_ERASER = 32; // in event.buttons: the eraser end of a pen

/** @typedef {"pen" | "eraser"} Tool */

export class Paper extends EventTarget {
  /**
   * Events: "progress" while a stroke grows or the eraser moves, "change" when the sketch has changed, "view" when another
   * part of the sheet is shown.
   *
   * @param {HTMLCanvasElement} canvas
   */
  constructor(canvas) {
    super();
    this.canvas = canvas;
    this.context = context2d(canvas, { desynchronized: true });
    this.sketch = new Sketch();
    this.view = new SheetView();
    this.revision = 0; // grows with every change, also of an unfinished stroke
    /** @type {Tool} */
    this.tool = "pen";
    this.width = 7; // of lines, in units
    this.color = ""; // of lines, as #rrggbb; "" is the sheet's own
    /** @type {Shape} */
    this.shape = "free";
    this.even = false; // whether shapes are as wide as high
    /** @type {Stroke | null} */
    this.current = null; // the unfinished stroke
    /** @type {Point | null} */
    this.last = null; // position of the eraser
    /** @type {number | null} */
    this.pointer = null;
    this.penSeen = 0;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of /** @type {const} */ (["pointerup", "pointercancel", "lostpointercapture"])) {
      canvas.addEventListener(end, (event) => event.pointerId === this.pointer && this.end());
    }
    canvas.addEventListener("contextmenu", (event) => this.busy && event.preventDefault()); // a long press draws, and opens no menu
    new ResizeObserver(() => this.#resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  get empty() {
    return this.sketch.empty && this.current === null;
  }

  // Whether a stroke or the eraser is unfinished.
  get busy() {
    return this.current !== null || this.last !== null;
  }

  // The strokes, with the unfinished one.
  get strokes() {
    return this.current ? [...this.sketch.strokes, this.current] : this.sketch.strokes;
  }

  // The sketch as the API takes it, with the unfinished stroke.
  toStrokes() {
    return toApi(this.strokes);
  }

  undo() {
    this.#edit("undo");
  }

  redo() {
    this.#edit("redo");
  }

  clear() {
    this.#edit("clear");
  }

  /**
   * Takes other strokes, as one step that undo takes back.
   *
   * @param {Stroke[]} strokes
   */
  load(strokes) {
    if (this.busy) this.end();
    this.sketch.replace(strokes);
    this.view.reset();
    this.viewChanged();
    this.#tell("change");
  }

  // Drops an unfinished stroke, and what the eraser removed since it came down.
  abandon() {
    if (!this.busy) return;
    this.pointer = this.current = this.last = null;
    this.sketch.undoErasing();
    this.redraw();
    this.#tell("change");
  }

  // Draws the sheet after another part of it is to be shown.
  viewChanged() {
    this.redraw();
    this.dispatchEvent(new Event("view"));
  }

  // While a pen is in use, touch is a resting hand.
  /** @param {PointerEvent} event */
  penAtWork({ pointerType, timeStamp }) {
    return pointerType === "touch" && this.penSeen > 0 && timeStamp - this.penSeen < 1000;
  }

  /**
   * Shows another sketch, with its undo and redo, without an event.
   *
   * @param {Sketch} sketch
   */
  use(sketch) {
    this.current = this.last = this.pointer = null;
    this.sketch = sketch;
    this.revision++;
    this.view.reset();
    this.viewChanged();
  }

  fit() {
    this.#edit("fit");
  }

  /**
   * Puts the pen or the eraser down.
   *
   * @param {Point} place
   */
  begin(place, tool = this.tool) {
    if (this.busy) return;
    if (tool === "eraser") {
      this.sketch.beginErasing();
      this.last = place;
      this.extend(place);
    } else {
      this.current = { points: [place], width: this.width, ...(this.color && { color: this.color }) };
      this.#ink(this.current, 0);
      this.#tell("progress");
    }
  }

  /**
   * Moves the pen or the eraser on.
   *
   * @param {...Point} places
   */
  extend(...places) {
    if (this.last) {
      let some = false;
      for (const place of places) {
        some = this.sketch.erase(this.last, place, ERASER / this.view.zoom) || some;
        this.last = place;
      }
      if (some) {
        this.redraw();
        this.#tell("progress");
      }
    } else if (this.current && this.shape !== "free") {
      const [from] = this.current.points;
      this.current.points = shapePoints(this.shape, from, places[places.length - 1], this.even);
      this.redraw();
      this.#tell("progress");
    } else if (this.current) {
      const { points } = this.current;
      const from = points.length;
      for (const place of places) {
        const before = points[points.length - 1];
        if (Math.hypot(place[0] - before[0], place[1] - before[1]) >= NEAR / this.view.zoom) points.push(place);
      }
      if (points.length === from) return;
      if (isPressed(points)) this.redraw();
      else this.#ink(this.current, from);
      this.#tell("progress");
    }
  }

  end() {
    this.pointer = null;
    if (this.last) {
      this.last = null;
      if (this.sketch.endErasing()) this.dispatchEvent(new Event("change"));
    } else if (this.current) {
      this.sketch.add(this.current);
      this.current = null;
      this.redraw();
      this.dispatchEvent(new Event("change")); // same revision: the last "progress" had the whole stroke
    }
  }

  redraw() {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (const stroke of this.sketch.strokes) this.#ink(stroke, 0);
    if (this.current) this.#ink(this.current, 0);
  }

  /** @param {"undo" | "redo" | "clear" | "fit"} what */
  #edit(what) {
    if (this.busy || !this.sketch[what]()) return;
    if (what === "clear" || what === "fit") this.view.reset();
    this.viewChanged();
    this.#tell("change");
  }

  /** @param {"progress" | "change"} what */
  #tell(what) {
    this.revision++;
    this.dispatchEvent(new Event(what));
  }

  /** @param {PointerEvent} event */
  #down(event) {
    const turned = event.pointerType === "pen" && (event.buttons & PEN_ERASER) !== 0;
    if (this.busy || !(event.button === 0 || turned) || !event.isPrimary) return;
    if (this.penAtWork(event)) return;
    event.preventDefault();
    try {
      this.canvas.setPointerCapture(event.pointerId); // a line may leave the sheet and come back
    } catch {
      // The pointer is already gone: its stroke is a dot.
    }
    this.pointer = event.pointerId;
    this.begin(this.#place(event), turned ? "eraser" : this.tool);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (event.pointerType === "pen") this.penSeen = event.timeStamp;
    if (!this.busy || event.pointerId !== this.pointer) return;
    this.even = event.shiftKey;
    const events = event.getCoalescedEvents?.() ?? [];
    this.extend(...(events.length ? events : [event]).map((one) => this.#place(one)));
  }

  /**
   * @param {PointerEvent} event
   * @returns {Point}
   */
  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = this.view.placeAt((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    return [x, y, event.pointerType === "pen" ? event.pressure : 0.5];
  }

  /**
   * Draws a stroke from its point `from` on.
   *
   * @param {Stroke} stroke
   * @param {number} from
   */
  #ink(stroke, from) {
    const { context, canvas, view } = this;
    const scale = (canvas.width / UNITS) * view.zoom;
    context.setTransform(scale, 0, 0, scale, -view.x * scale, -view.y * scale);
    context.strokeStyle = context.fillStyle = stroke.color || getComputedStyle(canvas).color;
    drawStroke(context, stroke, from);
  }

  #resize() {
    const box = this.canvas.getBoundingClientRect();
    const side = Math.max(1, Math.round(box.width * devicePixelRatio));
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    this.redraw();
  }
}
