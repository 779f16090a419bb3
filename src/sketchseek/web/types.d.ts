// Answers of the REST API as far as the page reads them, and types that several modules share.

export interface Result {
  rank: number;
  id: number;
  path: string;
  name: string;
  score: number;
}

export interface SearchAnswer {
  results: Result[];
  offset: number;
  total: number;
}

export interface ErrorBody {
  type: string;
  message: string;
  remedy: string;
}

export interface PhotoInfo {
  id: number;
  path: string;
  name: string;
  folder: string;
  size: number;
  width: number | null;
  height: number | null;
  date: string | null;
  missing: boolean;
}

export interface LibraryStatus {
  path: string;
  photos: number;
  bytes: number;
  model: string;
  folders: string[];
}

export interface Status {
  name: string;
  library: LibraryStatus;
  may: { open: boolean; write: boolean };
}

export interface Libraries {
  libraries: { name: string; path: string; photos: number }[];
  default: string;
}

export interface Failures {
  total: number;
  failures: { path: string; reason: string }[];
}

export interface Folders {
  adding: boolean;
  path: string | null;
  folders: string[];
}

export interface IndexingReport {
  indexed: number;
  failed: number;
  removed: number;
  moved: number;
  unchanged: number;
}

export interface IndexingState {
  running: boolean;
  library?: string | null;
  progress?: { stage: string; done: number; total: number; indexed?: number } | null;
  report?: IndexingReport | null;
  stopped?: boolean;
  error?: ErrorBody | null;
}

export interface RasterSettings {
  fill: number;
  line_width: number;
}

export interface Model {
  sketch: { sha256: string; size: number };
  rasterization: RasterSettings & { version: number };
}

/** x and y coordinates of each stroke, as the API takes them. */
export type ApiStrokes = [number[], number[]][];

/** x, y and pressure, in units of the sheet. */
export type Point = [number, number, number];

export interface Stroke {
  points: Point[];
  width: number;
}

/** Left, top, right and bottom. */
export type Box = [number, number, number, number];

/** Bounds of a search: a folder, and times as ISO 8601. */
export interface Filter {
  folder?: string;
  after?: string;
  before?: string;
}

export interface Page {
  k: number;
  offset: number;
}

/** Ids of photos with feedback. */
export interface Feedback {
  positive: number[];
  negative: number[];
}

export type Kind = "sketch" | "photo";

/** A query by the sketch on the paper, by a picture file (whole or a part of it), or by a photo of the library. */
export interface Query {
  paper?: boolean;
  file?: File;
  whole?: File;
  kind?: Kind;
  name?: string;
  shown?: boolean;
  like?: Result;
}

/** Asks the server for one page of results. */
export type AskPage = (signal: AbortSignal, page: Page) => Promise<SearchAnswer>;

/** Milliseconds that encoding a sketch takes. */
export interface EncodingTimes {
  browser: number;
  server: number;
}
