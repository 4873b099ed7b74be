/** LZW and PackBits, as TIFF has them. */

const [CLEAR, END] = [256, 257];

/**
 * @param {Uint8Array} packed Codes with their high bits first.
 * @param {number} size Bytes that are expected; no more are unpacked.
 * @returns {Uint8Array<ArrayBuffer>} As many bytes as there are, up to `size`.
 */
export function unpackLzw(packed, size) {
  const out = new Uint8Array(size);
  // Each string is one that came before with one byte more: where it stands in what is unpacked, and its length.
  const starts = new Int32Array(4097);
  const lengths = new Int32Array(4097);
  let [width, following, before, filled, buffer, bits] = [9, 258, -1, 0, 0, 0];
  let [lastStart, lastLength] = [0, 0];
  for (let place = 0; place < packed.length && filled < size;) {
    while (bits < width && place < packed.length) {
      buffer = ((buffer << 8) | packed[place++]) & 0xffffff;
      bits += 8;
    }
    while (bits >= width && filled < size) {
      const code = (buffer >> (bits - width)) & ((1 << width) - 1);
      bits -= width;
      if (code === END) return out.subarray(0, filled);
      if (code === CLEAR) {
        [width, following, before] = [9, 258, -1];
        continue;
      }
      const start = filled;
      if (code < CLEAR) out[filled++] = code;
      else {
        if (before < 0 || code > following) return out.subarray(0, filled);
        const known = code < following;
        const from = known ? starts[code] : lastStart;
        const length = known ? lengths[code] : lastLength + 1;
        for (let index = 0; index < length && filled < size; index++) out[filled++] = out[from + index];
      }
      if (before >= 0 && following < 4096) {
        starts[following] = lastStart;
        lengths[following] = lastLength + 1;
        following++;
      }
      [before, lastStart, lastLength] = [code, start, filled - start];
      // One earlier than need be, as the format has it.
      if (following + 1 >= 1 << width && width < 12) width++;
    }
  }
  return out.subarray(0, filled);
}

/**
 * @param {Uint8Array} packed Runs of one byte, and bytes as they are.
 * @param {number} size Bytes that are expected; no more are unpacked.
 * @returns {Uint8Array<ArrayBuffer>} As many bytes as there are, up to `size`.
 */
export function unpackBits(packed, size) {
  const out = new Uint8Array(size);
  let filled = 0;
  for (let place = 0; place < packed.length && filled < size;) {
    const head = packed[place++];
    if (head === 128) continue;
    if (head > 128) {
      out.fill(packed[place++], filled, Math.min(size, filled + 257 - head));
      filled = Math.min(size, filled + 257 - head);
    } else {
      const part = packed.subarray(place, place + Math.min(head + 1, size - filled));
      out.set(part, filled);
      filled += part.length;
      place += head + 1;
    }
  }
  return out.subarray(0, filled);
}
