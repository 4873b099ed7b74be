/**
 * Isolation from other origins, which browsers ask for before they give several threads to a page.
 *
 * The package's own server sends the two headers for it. On a host that does not, a service worker (sw.js) adds them,
 * and the page is loaded once more.
 */

const TRIED = "amsunet.isolation";
/** Milliseconds; longer than this a page does not wait for more threads. */
const PATIENCE = 3000;

/**
 * Isolate the page where that is possible.
 *
 * @returns {Promise<boolean>} Whether the page is being loaded anew: then there is nothing more to do for this one.
 */
export async function isolate() {
  if (globalThis.crossOriginIsolated || !location.protocol.startsWith("http")) return false;
  try {
    if (!navigator.serviceWorker || sessionStorage.getItem(TRIED)) return false;
    sessionStorage.setItem(TRIED, "yes"); // once: a browser that cannot be isolated must not load for ever
    const registration = await within(PATIENCE, navigator.serviceWorker.register(new URL("sw.js", import.meta.url)));
    await within(PATIENCE, activated(registration));
    location.reload();
    return true;
  } catch {
    return false; // one thread does the same, and takes longer
  }
}

/** @param {ServiceWorkerRegistration} registration */
async function activated(registration) {
  const worker = registration.active ?? registration.waiting ?? registration.installing;
  while (worker && worker.state !== "activated") {
    await new Promise((resolve) => worker.addEventListener("statechange", resolve, { once: true }));
  }
}

/**
 * @template T
 * @param {number} milliseconds
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
function within(milliseconds, promise) {
  const late = new Promise((_, reject) => setTimeout(reject, milliseconds, new Error("too late")));
  return Promise.race([promise, /** @type {Promise<never>} */ (late)]);
}
