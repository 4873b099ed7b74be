/** Deflate, by the browser's own streams. */

/**
 * Unpack zlib data, and pass over what follows it in the same piece of a file.
 *
 * @param {Uint8Array} packed With the two bytes of zlib's header.
 * @param {number} size Bytes that are expected; no more are unpacked.
 * @returns {Promise<Uint8Array<ArrayBuffer>>} As many bytes as there are, up to `size`.
 */
export async function inflate(packed, size) {
  const out = new Uint8Array(size);
  const reader = through(packed, new DecompressionStream("deflate")).getReader();
  let filled = 0;
  try {
    while (filled < size) {
      const { done, value } = await reader.read();
      if (done) break;
      out.set(value.subarray(0, size - filled), filled);
      filled += Math.min(value.length, size - filled);
    }
    reader.cancel().catch(() => {});
  } catch {
    // The data end early or are damaged: whoever asked sees that bytes are missing.
  }
  return filled < size ? out.subarray(0, filled) : out;
}

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<Uint8Array>} The same as zlib data.
 */
export async function deflate(bytes) {
  return new Uint8Array(await new Response(through(bytes, new CompressionStream("deflate"))).arrayBuffer());
}

/**
 * @param {Uint8Array} bytes
 * @param {CompressionStream | DecompressionStream} stream
 * @returns {ReadableStream<Uint8Array>}
 */
function through(bytes, stream) {
  return new Blob([/** @type {BlobPart} */ (bytes)]).stream().pipeThrough(stream);
}
