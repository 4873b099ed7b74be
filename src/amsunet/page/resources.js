/**
 * Files of the page itself: fetched where the page is a folder, and in the single file taken from the elements that
 * hold them as base64, `<script type="application/octet-stream;base64" id="file:PATH" data-sha256="...">`: the policy of
 * the single file has checksums of what runs in it, and not of what it holds.
 *
 * @import { Network } from "./types.js"
 */

import { PageError } from "./errors.js";
import { sha256 } from "./sha256.js";

/** @typedef {(fraction: number) => void} OnProgress */

const WORKER = "worker.js";

/**
 * @param {string} path From the folder of the page on.
 * @param {OnProgress} [onProgress]
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function load(path, onProgress = () => {}) {
  const held = await heldBytes(path);
  if (held) {
    onProgress(1);
    return held;
  }
  try {
    const response = await fetch(new URL(path, import.meta.url));
    if (!response.ok || !response.body) throw new Error(response.statusText);
    const bytes = await readAll(response.body, Number(response.headers.get("Content-Length")), onProgress);
    onProgress(1);
    return bytes;
  } catch {
    throw new PageError("resource_missing", { path });
  }
}

/**
 * A network, unpacked and found to be the one that the page was made with.
 *
 * @param {Network} network
 * @param {OnProgress} [onProgress]
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function openNetwork(network, onProgress) {
  const packed = await load(network.file, onProgress);
  const bytes = await unpack(packed).catch(() => null);
  if (!bytes || bytes.length !== network.bytes || (await sha256(bytes)) !== network.sha256) {
    throw new PageError("network_damaged", { name: network.name });
  }
  return bytes;
}

/**
 * What a file holds that was packed by gzip. Some hosts unpack such files on the way: these come as they are.
 *
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function unpack(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * Start worker.js. In the single file it is a `data:` module that holds all it imports: a worker sees no import map,
 * and one from `blob:` does not start from `file://` in Chromium.
 *
 * @returns {Promise<Worker>}
 */
export async function startWorker() {
  const text = (await heldBytes(WORKER)) && elementOf(WORKER)?.textContent?.trim();
  return new Worker(text ? `data:text/javascript;base64,${text}` : new URL(WORKER, import.meta.url), { type: "module" });
}

/**
 * What the single file holds, found to be what it was made with.
 *
 * @param {string} path
 * @returns {Promise<Uint8Array<ArrayBuffer> | null>} Null where the page is a folder.
 */
async function heldBytes(path) {
  const held = elementOf(path);
  if (!held) return null;
  try {
    const bytes = fromBase64(held.textContent ?? "");
    if ((await sha256(bytes)) === held.dataset.sha256) return bytes;
  } catch {
    // no base64 any more
  }
  throw new PageError("resource_damaged", { path });
}

/** @type {(path: string) => HTMLElement | null} */
function elementOf(path) {
  return document.getElementById(`file:${path}`);
}

/**
 * @param {ReadableStream<Uint8Array>} stream
 * @param {number} expected Bytes, where they are known. Of a file that is unpacked on the way they are those before.
 * @param {OnProgress} onProgress
 */
async function readAll(stream, expected, onProgress) {
  const parts = [];
  let length = 0;
  for (const reader = stream.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
    if (expected) onProgress(Math.min(1, length / expected));
  }
  const bytes = new Uint8Array(length);
  let place = 0;
  for (const part of parts) {
    bytes.set(part, place);
    place += part.length;
  }
  return bytes;
}

/**
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 */
function fromBase64(text) {
  const binary = atob(text.trim());
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes;
}
