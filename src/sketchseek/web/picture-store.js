// The last picture files that were searched with, so that Back and reload find them again. They stay in this browser.

const NAME = "sketchseek-pictures";
const STORE = "files";
const KEPT = 8;

/** @type {Map<string, File>} */
const files = new Map(); // of this page, where the browser stores nothing (private windows)

/** @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(NAME, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { autoIncrement: true });
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

/**
 * Does something with the store, and returns its outcome.
 *
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest<T>} work
 * @returns {Promise<T>}
 */
async function withStore(mode, work) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

/**
 * Keeps a file and returns the key to it, at once; storing it takes longer.
 *
 * @param {File} file
 */
export function keepPicture(file) {
  const key = `${Date.now()}-${Math.random().toString(36).slice(2)}`;
  files.set(key, file);
  void store(key, file);
  return key;
}

/**
 * @param {string} key
 * @param {File} file
 */
async function store(key, file) {
  try {
    await withStore("readwrite", (files) => files.put(file, key));
    const keys = await withStore("readonly", (files) => files.getAllKeys()); // the oldest first, by their names
    const old = keys.slice(0, -KEPT).at(-1);
    if (old !== undefined) await withStore("readwrite", (files) => files.delete(IDBKeyRange.upperBound(old)));
  } catch {
    // The browser stores nothing: the file lasts until the page is closed.
  }
}

/**
 * The file of a key, or null where it is no longer kept.
 *
 * @param {string} key
 * @returns {Promise<File | null>}
 */
export async function keptPicture(key) {
  const file = files.get(key);
  if (file) return file;
  try {
    const found = await withStore("readonly", (files) => files.get(key));
    return found instanceof File ? found : null;
  } catch {
    return null;
  }
}
