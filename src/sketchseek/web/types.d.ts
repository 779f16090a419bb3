// Answers of the REST API as far as the page reads them, and types that several modules share.

export interface Result {
  rank: number;
  id: number;
  path: string;
  name: string;
  score: number;
  /** Further photos that are copies of it, where results are grouped. */
  copies?: PhotoCopy[];
  /** Of a video: seconds to the frame that matched, unless it is the one that is shown. */
  time?: number | null;
}

export interface PhotoCopy {
  id: number;
  path: string;
  name: string;
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
  unread: Record<string, number>; // files in formats that are not read, by suffix
}

export interface Session {
  user: string | null;
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

export interface PhotoFolders {
  folders: { path: string; photos: number }[];
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
  /** As #rrggbb; without it, the pen's own. */
  color?: string;
}

/** What the pen draws. */
export type Shape = "free" | "line" | "rectangle" | "ellipse";

/** A color that photos should have. */
export interface QueryColor {
  color: string;
  weight: number;
}

/** Colors to search for, and how much they count. */
export interface Colors {
  palette: QueryColor[];
  weight: number;
}

/** Left, top, right and bottom. */
export type Box = [number, number, number, number];

/** What a search is limited to: a folder or a part of its path, and times as ISO 8601. */
export interface Filter {
  folder?: string;
  folder_contains?: string;
  after?: string;
  before?: string;
  /** Whether copies of one photo are one result. */
  group_copies?: boolean;
}

/** Words to search for; where they are required, only photos with all of them are found. */
export interface Words {
  text: string;
  required: boolean;
}

/** Why a photo matches, as far as the page shows it. */
export interface Explanation {
  photo: number;
  photo_split: { shares: number[][] };
  /** For each example, each stroke's share; null where the server did not get its strokes. */
  sketches: ({ strokes: number[] } | null)[];
}

/** One of several things that a query consists of. */
export interface Example {
  strokes?: ApiStrokes;
  embedding?: number[];
  photo_id?: number;
  image?: string;
  image_kind?: Kind;
  weight?: number;
  negative?: boolean;
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
  key?: string;
  like?: PhotoName;
}

/** A photo of the library, as far as a query needs it; the name is "" until it is known. */
export type PhotoName = Pick<Result, "id" | "name">;

/** What the page shows, as the browser's history keeps it. */
export interface PageEntry {
  library: string;
  /** The strokes of each sheet, and which one is chosen. */
  sheets: Stroke[][];
  sheet: number;
  /** Whether a drawing of two objects is searched as a whole only. */
  whole?: boolean;
  words: Words;
  /** Colors chosen beside the sheet, as #rrggbb. */
  colors?: string[];
  /** How much colors count, unless as usual. */
  colorWeight?: number;
  like?: PhotoName;
  picture?: { key: string; kind: Kind; name: string };
  /** The photo in the viewer. */
  photo?: number;
  folder: string;
  after: string;
  before: string;
  grouped?: boolean;
}

export type PhotoOrder = "newest" | "oldest" | "path";

export interface PhotoList {
  photos: { id: number; path: string; name: string; date: string | null }[];
  offset: number;
  total: number;
}

/** A search that the browser keeps: the fragment of its link, and when it was saved. */
export interface SavedSearch {
  fragment: string;
  time: number;
}

/** Asks the server for one page of results. */
export type AskPage = (signal: AbortSignal, page: Page) => Promise<SearchAnswer>;

/** Milliseconds that encoding a sketch takes. */
export interface EncodingTimes {
  browser: number;
  server: number;
}
