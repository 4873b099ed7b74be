/** How long networks take, from how long they took. */

/** Seconds of one thread for a multiply-accumulate, before anything was measured. */
const SECONDS_A_MAC = 2e-10;
/** Multiply-accumulates a pixel of AMSUnet, for a network of which they are not known. */
const USUAL_WORK = 91_561;
/** Pixels that count as measured before. */
const PRIOR = 128 * 128;
/** What earlier runs count in comparison to the newest. */
const EARLIER = 0.5;

export class Pace {
  #pixels = PRIOR;
  #seconds;

  /**
   * @param {number} work Multiply-accumulates a pixel; 0 where they are not known.
   * @param {number} threads
   */
  constructor(work, threads) {
    this.#seconds = (PRIOR * (work || USUAL_WORK) * SECONDS_A_MAC) / threads;
  }

  /**
   * @param {number} pixels
   * @returns {number} Seconds that a network is likely to take for them.
   */
  seconds(pixels) {
    return (pixels * this.#seconds) / this.#pixels;
  }

  /**
   * @param {number} pixels
   * @param {number} seconds
   */
  measured(pixels, seconds) {
    this.#pixels = EARLIER * this.#pixels + pixels;
    this.#seconds = EARLIER * this.#seconds + seconds;
  }
}

/**
 * Progress of one prediction. A network tells nothing while it runs, so what it should have done is told by the clock.
 */
export class Progress {
  #pace;
  #onProgress;
  #total = 0;
  #done = 0;
  #running = 0;
  #since = 0;
  #timer;

  /**
   * @param {Pace} pace
   * @param {(fraction: number, secondsLeft: number) => void} onProgress
   */
  constructor(pace, onProgress) {
    this.#pace = pace;
    this.#onProgress = onProgress;
    this.#timer = setInterval(() => this.#tell(), 200);
  }

  /**
   * A run begins.
   *
   * @param {number} pixels Of this run.
   * @param {number} total Of all runs of this prediction.
   */
  run(pixels, total) {
    this.#total = total;
    this.#running = pixels;
    this.#since = performance.now();
    this.#tell();
  }

  /** The run that began last has ended. */
  ran() {
    if (this.#running) this.#pace.measured(this.#running, (performance.now() - this.#since) / 1000);
    this.#done += this.#running;
    this.#running = 0;
  }

  stop() {
    clearInterval(this.#timer);
  }

  #tell() {
    if (!this.#total) return;
    const elapsed = this.#running ? (performance.now() - this.#since) / 1000 : 0;
    const expected = this.#pace.seconds(this.#running);
    // Near its end a run that takes longer than expected goes slower and slower, and never arrives.
    const share = expected ? 1 - Math.exp((-1.6 * elapsed) / expected) : 0;
    const left = this.#pace.seconds(this.#total - this.#done - this.#running) + Math.max(0, expected - elapsed);
    this.#onProgress((this.#done + share * this.#running) / this.#total, left);
  }
}
