// The sheet of paper: strokes from mouse, pen and finger, drawn as they come.

import { Drawing, toApi, UNITS } from "./strokes.js";

const NEAR = 1.5; // points closer than this to the last are left out
const ERASER = 12; // radius, in units
const PEN_ERASER = 32; // in event.buttons: a pen that is held the other way round

export class Paper extends EventTarget {
  // Events: "progress" while a stroke grows or the eraser goes on, "change" when the drawing changed for good.
  constructor(canvas) {
    super();
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { desynchronized: true }) ?? canvas.getContext("2d");
    this.drawing = new Drawing();
    this.revision = 0; // grows with every change, of the growing stroke too
    this.tool = "pen"; // or "eraser"
    this.width = 7; // of lines, in units
    this.current = null; // the stroke that grows
    this.last = null; // where the eraser is
    this.pointer = null;
    this.penSeen = 0;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(end, (event) => event.pointerId === this.pointer && this.end());
    }
    canvas.addEventListener("contextmenu", (event) => this.busy && event.preventDefault()); // a long press draws
    new ResizeObserver(() => this.#resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  get empty() {
    return this.drawing.empty && this.current === null;
  }

  // A stroke or the eraser is on its way.
  get busy() {
    return this.current !== null || this.last !== null;
  }

  // The drawing as the API takes it, the growing stroke too.
  toStrokes() {
    return toApi(this.current ? [...this.drawing.strokes, this.current] : this.drawing.strokes);
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

  fit() {
    this.#edit("fit");
  }

  // Put the pen, or the eraser, down at [x, y, pressure].
  begin(place, tool = this.tool) {
    if (this.busy) return;
    if (tool === "eraser") {
      this.drawing.beginErasing();
      this.last = place;
      this.extend(place);
    } else {
      this.current = { points: [place], width: this.width };
      this.#ink(this.current, 0);
      this.#tell("progress");
    }
  }

  // Go on to another place.
  extend(...places) {
    if (this.last) {
      let some = false;
      for (const place of places) {
        some = this.drawing.erase(this.last, place, ERASER) || some;
        this.last = place;
      }
      if (some) {
        this.redraw();
        this.#tell("progress");
      }
    } else if (this.current) {
      const { points } = this.current;
      const from = points.length;
      for (const place of places) {
        const before = points.at(-1);
        if (Math.hypot(place[0] - before[0], place[1] - before[1]) >= NEAR) points.push(place);
      }
      if (points.length === from) return;
      this.#ink(this.current, from);
      this.#tell("progress");
    }
  }

  end() {
    this.pointer = null;
    if (this.last) {
      this.last = null;
      if (this.drawing.endErasing()) this.dispatchEvent(new Event("change"));
    } else if (this.current) {
      this.drawing.add(this.current);
      this.current = null;
      this.redraw();
      this.dispatchEvent(new Event("change")); // of the same revision: the last "progress" knew all of it
    }
  }

  redraw() {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (const stroke of this.drawing.strokes) this.#ink(stroke, 0);
    if (this.current) this.#ink(this.current, 0);
  }

  #edit(what) {
    if (this.busy || !this.drawing[what]()) return;
    this.redraw();
    this.#tell("change");
  }

  #tell(what) {
    this.revision++;
    this.dispatchEvent(new Event(what));
  }

  #down(event) {
    const turned = event.pointerType === "pen" && (event.buttons & PEN_ERASER) !== 0;
    if (this.busy || !(event.button === 0 || turned) || !event.isPrimary) return;
    // A hand that rests on the screen while a pen draws is not a finger that draws.
    if (event.pointerType === "touch" && event.timeStamp - this.penSeen < 1000 && this.penSeen > 0) return;
    event.preventDefault();
    try {
      this.canvas.setPointerCapture(event.pointerId); // a line goes on beyond the sheet's edge
    } catch {
      // The pointer left before this was run: its stroke is a dot.
    }
    this.pointer = event.pointerId;
    this.begin(this.#place(event), turned ? "eraser" : this.tool);
  }

  #move(event) {
    if (event.pointerType === "pen") this.penSeen = event.timeStamp;
    if (!this.busy || event.pointerId !== this.pointer) return;
    const parts = event.getCoalescedEvents?.() ?? [];
    this.extend(...(parts.length ? parts : [event]).map((part) => this.#place(part)));
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * UNITS;
    const y = ((event.clientY - box.top) / box.height) * UNITS;
    return [x, y, event.pointerType === "pen" ? event.pressure : 0.5];
  }

  // Draw a stroke from its point `from` on, smooth through the middles between points.
  #ink({ points, width }, from) {
    const { context, canvas } = this;
    const scale = canvas.width / UNITS;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.strokeStyle = context.fillStyle = getComputedStyle(canvas).color;
    context.lineCap = context.lineJoin = "round";
    if (points.length === 1) {
      context.beginPath();
      context.arc(points[0][0], points[0][1], width / 2, 0, 2 * Math.PI);
      context.fill();
      return;
    }
    for (let i = Math.max(1, from); i < points.length; i++) {
      const [before, a, b] = [points[Math.max(0, i - 2)], points[i - 1], points[i]];
      context.lineWidth = width * (0.5 + b[2]);
      context.beginPath();
      context.moveTo((before[0] + a[0]) / 2, (before[1] + a[1]) / 2);
      context.quadraticCurveTo(a[0], a[1], (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
      if (i === points.length - 1) context.lineTo(b[0], b[1]);
      context.stroke();
    }
  }

  #resize() {
    const box = this.canvas.getBoundingClientRect();
    const side = Math.max(1, Math.round(box.width * devicePixelRatio));
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    this.redraw();
  }
}
