// Searches a running server with the generated types. Prints what it found as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { argv: string[] };

const { GET, POST } = createClient<paths>({ baseUrl: process.argv[2] ?? "" });

const { data: status } = await GET("/api/v1/status");
const photos: number = status?.library.photos ?? -1;

const { data: answer } = await POST("/api/v1/search/sketch", {
  body: { strokes: [[[10, 200, 200], [10, 10, 90]]], k: 3 },
});
const results: components["schemas"]["SearchHit"][] = answer?.results ?? [];
const seconds: number = answer?.seconds ?? -1;

const { data: photo } = await GET("/api/v1/photos/{photo_id}", { params: { path: { photo_id: results[0]?.id ?? 0 } } });
const name: string | undefined = photo?.name;

const { data: refined } = await POST("/api/v1/search/refine", {
  body: { photo_id: results[0]?.id ?? 0, negative: [results[1]?.id ?? 0], k: 2 },
});

const { error } = await GET("/api/v1/photos/{photo_id}", { params: { path: { photo_id: 999999 } } });

console.log(
  JSON.stringify({
    photos,
    names: results.map((one) => one.name),
    timed: seconds >= 0,
    name,
    refined: refined?.results.map((one) => one.id),
    error: error?.error.type,
  }),
);
