/** Deflate, by the browser's own streams. */

/** Bytes at the end of zlib data among which its checksum is looked for; some writers fill up behind it. */
const TAIL = 64;

/**
 * Unpack zlib data, and pass over what follows it in the same piece of a file.
 *
 * @param {Uint8Array} packed With the two bytes of zlib's header.
 * @param {number} size Bytes that are expected; no more are unpacked.
 * @returns {Promise<Uint8Array<ArrayBuffer>>} As many bytes as there are, up to `size`; none if the checksum is wrong.
 */
export async function inflate(packed, size) {
  const out = new Uint8Array(size);
  const reader = through(packed, new DecompressionStream("deflate")).getReader();
  let filled = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (filled === size) {
        reader.cancel().catch(() => {}); // more than was asked for
        break;
      }
      out.set(value.subarray(0, size - filled), filled);
      filled += Math.min(value.length, size - filled);
    }
  } catch {
    // The data end early, are damaged, or something follows them: that alone is nothing amiss.
    if (filled === size && !holdsChecksum(packed, out)) filled = 0;
  }
  return filled < size ? out.subarray(0, filled) : out;
}

/**
 * @param {Uint8Array} packed
 * @param {Uint8Array} bytes What it holds.
 * @returns {boolean} Whether their Adler-32 stands at its end.
 */
function holdsChecksum(packed, bytes) {
  let [sum, sums] = [1, 0];
  for (let index = 0; index < bytes.length; index++) {
    sum = (sum + bytes[index]) % 65521;
    sums = (sums + sum) % 65521;
  }
  const wanted = [sums >> 8, sums & 255, sum >> 8, sum & 255];
  for (let place = packed.length - 4; place >= Math.max(0, packed.length - TAIL); place--) {
    if (wanted.every((byte, index) => packed[place + index] === byte)) return true;
  }
  return false;
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
