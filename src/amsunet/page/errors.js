/**
 * What goes wrong, as a code and what it is about: the sentences are in words.js, in every language of the page.
 *
 * An error that crosses from a worker, or from another copy of this module, is none of this class any more: look at
 * its `code`, with `codeOf`.
 *
 * Codes of the engine, and the values that their sentences may name:
 * - `too_large` (name, width, height, megapixels, limit): more pixels than the page works on; the command does.
 * - `resource_missing` (path): a file of the page itself could not be loaded.
 * - `resource_damaged` (path): a file that the single file holds is not the one that it was made with.
 * - `network_damaged` (name): a network is not the one that the page was made with.
 * - `network_other_version` (name, problem): a network was exported by another version of amsunet.
 * - `no_numbers` (name): the network gives NaN or infinity for an image.
 * - `out_of_memory` (name): the browser has not the memory for an image.
 * - `engine_failed` (name, reason): anything else, in the words of whatever failed.
 */

/** Pixels of the largest image that the page works on. */
export const MOST_PIXELS = 50_000_000;

/** An error with a sentence in words.js. */
export class PageError extends Error {
  /**
   * @param {string} code Of the sentence.
   * @param {Record<string, string | number>} [values] What the sentence names.
   */
  constructor(code, values = {}) {
    super(`${code} ${JSON.stringify(values)}`);
    this.name = "PageError";
    this.code = code;
    this.values = values;
  }
}

/**
 * The code of an error of the page; empty of any other.
 *
 * @param {unknown} error
 * @returns {string}
 */
export function codeOf(error) {
  return error instanceof Error && error.name === "PageError" && "code" in error ? String(error.code) : "";
}

/**
 * Refuse an image of more pixels than the page works on: as soon as its size is known, before it is decoded.
 *
 * @param {number} width
 * @param {number} height
 * @param {string} name
 */
export function refuseLarge(width, height, name) {
  if (width * height > MOST_PIXELS) {
    const megapixels = Math.round((width * height) / 1e6);
    throw new PageError("too_large", { name, width, height, megapixels, limit: MOST_PIXELS / 1e6 });
  }
}
