// Keeps the page's own files, so that an installed page opens and says so while its server is away. Nothing else is kept: no
// photo, no answer of the API, no login. A newer file from the server always comes first, but for the icon: browsers ask for it
// at each change of the address, which is after each stroke.

const KEPT = "sketchseek page";
const FILE = /(?:href|src)="((?:vendor\/)?[\w-]+\.(?:m?js|css|svg|webmanifest))"/g;
const KEPT_PATH = /^$|^[\w-]+\.(js|css|svg|webmanifest)$|^vendor\/perfect-freehand\.mjs$/;
const ICON = "icon.svg";
const OTHERS = ["encode-worker.js", "raster.js"];

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

worker.addEventListener("install", (event) => {
  void worker.skipWaiting();
  // Otherwise each request of the API would wait for this worker, which lets it pass.
  const { addRoutes } = /** @type {{ addRoutes?: (rule: object) => Promise<void> }} */ (/** @type {unknown} */ (event));
  void addRoutes?.call(event, { condition: { urlPattern: "./api/*" }, source: "network" });
  event.waitUntil(keepAll());
});

worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const path = pathOf(request.url);
  const kept = request.method === "GET" && path !== null && KEPT_PATH.test(path);
  if (kept) event.respondWith(path === ICON ? icon(request) : newest(request));
});

// The path below the page's address, or null for another server's or folder's.
/** @param {string} address */
function pathOf(address) {
  const { scope } = worker.registration;
  const url = address.split(/[?#]/)[0];
  return url.startsWith(scope) ? url.slice(scope.length) : null;
}

async function keepAll() {
  const page = await fetch("./");
  if (!page.ok || page.redirected) return; // nobody is logged in
  const html = await page.clone().text();
  const files = [...html.matchAll(FILE)].map(([, file]) => file);
  const languages = ["en", "de", "fr", "es", "zh", "ar"].map((code) => `texts-${code}.js`);
  const cache = await caches.open(KEPT);
  await cache.put("./", page);
  await cache.addAll([...new Set([...files, ...languages, ...OTHERS])]);
}

/** @param {Request} request */
async function icon(request) {
  return (await caches.match(request, { cacheName: KEPT })) ?? newest(request);
}

/**
 * The server's file, or the one that was kept where the server does not answer.
 *
 * @param {Request} request
 */
async function newest(request) {
  const cache = await caches.open(KEPT);
  try {
    const answer = await fetch(request);
    if (answer.ok && !answer.redirected) await cache.put(request.url.split(/[?#]/)[0], answer.clone());
    return answer;
  } catch (error) {
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}
