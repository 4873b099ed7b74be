/** What the page uses of ONNX Runtime Web, for the check of types alone. */

export const env: {
  logLevel: "verbose" | "info" | "warning" | "error" | "fatal";
  wasm: { wasmBinary?: ArrayBufferLike; numThreads?: number };
};

export class Tensor {
  constructor(type: "float32", values: Float32Array, dims: readonly number[]);
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

export class InferenceSession {
  static create(onnx: Uint8Array, options: object): Promise<InferenceSession>;
  run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}
