// The sheet of paper: strokes from mouse, pen and finger, kept in units of the sheet so that it may change its size.

const UNITS = 1000; // the sheet is this wide and high, whatever its size on the screen
const NEAR = 1.5; // points closer than this to the last are left out
const LINE = 7; // width of a line, in units

export class Paper extends EventTarget {
  // Events: "progress" while a stroke grows, "change" when the drawing changed for good.
  constructor(canvas) {
    super();
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { desynchronized: true }) ?? canvas.getContext("2d");
    this.strokes = []; // each a list of [x, y, pressure]
    this.past = []; // drawings to which undo goes back
    this.future = [];
    this.current = null;
    this.pointer = null;
    this.penSeen = 0;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#up(event));
    canvas.addEventListener("lostpointercapture", (event) => this.#up(event));
    new ResizeObserver(() => this.#resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  get empty() {
    return this.strokes.length === 0 && this.current === null;
  }

  get drawing() {
    return this.current !== null;
  }

  // The drawing as the API takes it: [[[x…], [y…]], …], the growing stroke too.
  toStrokes() {
    const all = this.current ? [...this.strokes, this.current] : this.strokes;
    return all.map((points) => [points.map((p) => round(p[0])), points.map((p) => round(p[1]))]);
  }

  undo() {
    if (this.current || this.past.length === 0) return;
    this.future.push(this.strokes);
    this.strokes = this.past.pop();
    this.#changed();
  }

  redo() {
    if (this.current || this.future.length === 0) return;
    this.past.push(this.strokes);
    this.strokes = this.future.pop();
    this.#changed();
  }

  clear() {
    if (this.current || this.strokes.length === 0) return;
    this.#remember();
    this.strokes = [];
    this.#changed();
  }

  redraw() {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (const stroke of this.strokes) this.#ink(stroke, 0);
    if (this.current) this.#ink(this.current, 0);
  }

  #down(event) {
    if (this.current || event.button !== 0 || !event.isPrimary) return;
    // A hand that rests on the screen while a pen draws is not a finger that draws.
    if (event.pointerType === "touch" && event.timeStamp - this.penSeen < 1000 && this.penSeen > 0) return;
    event.preventDefault();
    try {
      this.canvas.setPointerCapture(event.pointerId); // a line goes on beyond the sheet's edge
    } catch {
      // The pointer left before this was run: its stroke is a dot.
    }
    this.pointer = event.pointerId;
    this.current = [];
    this.#add(event);
    this.dispatchEvent(new Event("progress"));
  }

  #move(event) {
    if (event.pointerType === "pen") this.penSeen = event.timeStamp;
    if (!this.current || event.pointerId !== this.pointer) return;
    const from = this.current.length;
    const parts = event.getCoalescedEvents?.() ?? [];
    for (const part of parts.length ? parts : [event]) this.#add(part);
    if (this.current.length > from) {
      this.#ink(this.current, from);
      this.dispatchEvent(new Event("progress"));
    }
  }

  #up(event) {
    if (!this.current || event.pointerId !== this.pointer) return;
    const stroke = this.current;
    this.current = null;
    this.pointer = null;
    this.#remember();
    this.strokes = [...this.strokes, stroke];
    this.#changed();
  }

  #add(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * UNITS;
    const y = ((event.clientY - box.top) / box.height) * UNITS;
    const last = this.current.at(-1);
    if (last && Math.hypot(x - last[0], y - last[1]) < NEAR) return;
    this.current.push([x, y, event.pointerType === "pen" ? event.pressure : 0.5]);
    if (this.current.length === 1) this.#ink(this.current, 0);
  }

  #remember() {
    this.past.push(this.strokes);
    this.future = [];
  }

  #changed() {
    this.redraw();
    this.dispatchEvent(new Event("change"));
  }

  // Draw a stroke from its point `from` on, smooth through the middles between points.
  #ink(points, from) {
    const { context, canvas } = this;
    const scale = canvas.width / UNITS;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.strokeStyle = context.fillStyle = getComputedStyle(canvas).color;
    context.lineCap = context.lineJoin = "round";
    if (points.length === 1) {
      context.beginPath();
      context.arc(points[0][0], points[0][1], LINE / 2, 0, 2 * Math.PI);
      context.fill();
      return;
    }
    for (let i = Math.max(1, from); i < points.length; i++) {
      const [before, a, b] = [points[Math.max(0, i - 2)], points[i - 1], points[i]];
      context.lineWidth = LINE * (0.5 + b[2]);
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

const round = (value) => Math.round(value * 10) / 10;
