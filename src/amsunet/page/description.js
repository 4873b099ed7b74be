/**
 * The description that an exported ONNX file carries in its metadata, under `amsunet`.
 *
 * @import { Description } from "./types.js"
 */

import { PageError } from "./errors.js";

const METADATA = "amsunet";
/** Field of ModelProto: pairs of a key (field 1) and a value (field 2). */
const METADATA_PROPS = 14;
/** Of the description that this page knows. */
const FORMAT = 1;
const KNOWN = ["model", "preprocessing", "convention", "temperature", "threshold", "smallest_object"];

/**
 * @param {Uint8Array} onnx
 * @param {string} name Of the network, for messages.
 * @returns {Description}
 */
export function descriptionOf(onnx, name) {
  /** @type {Description} */
  let description;
  try {
    description = JSON.parse(metadataOf(onnx).get(METADATA) ?? "");
  } catch {
    description = {};
  }
  const missing = KNOWN.find((field) => description?.[field] === undefined);
  if (missing || description.format !== FORMAT) {
    throw new PageError("network_other_version", { name, problem: missing ?? `format ${description.format}` });
  }
  return description;
}

/**
 * @param {Uint8Array} onnx A protobuf message: of its fields only those that hold metadata are looked into.
 * @returns {Map<string, string>}
 */
export function metadataOf(onnx) {
  const found = new Map();
  for (const [field, content] of fieldsOf(onnx)) {
    if (field !== METADATA_PROPS) continue;
    const pair = new Map([...fieldsOf(content)].map(([key, text]) => [key, new TextDecoder().decode(text)]));
    found.set(pair.get(1), pair.get(2));
  }
  return found;
}

/**
 * Numbers and contents of the fields of a message that have a length: texts, bytes and messages.
 *
 * @param {Uint8Array} message
 * @returns {Generator<[number, Uint8Array]>}
 */
function* fieldsOf(message) {
  let place = 0;
  const readNumber = () => {
    let number = 0;
    for (let factor = 1; ; factor *= 128) {
      if (place >= message.length) throw new RangeError("protobuf: the message ends too early");
      const byte = message[place++];
      number += (byte & 127) * factor;
      if (byte < 128) return number;
    }
  };
  while (place < message.length) {
    const tag = readNumber();
    const kind = tag % 8;
    if (kind === 0) readNumber();
    else if (kind === 1) place += 8;
    else if (kind === 5) place += 4;
    else if (kind === 2) {
      const length = readNumber();
      yield [Math.floor(tag / 8), message.subarray(place, place + length)];
      place += length;
    } else throw new RangeError(`protobuf: wire type ${kind}`);
  }
}
