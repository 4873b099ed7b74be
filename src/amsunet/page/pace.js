/** How long networks take, from how long they took. */

/** Seconds of one thread for a multiply-accumulate, before anything was measured. */
const SECONDS_A_MAC = 2e-10;
/** Multiply-accumulates a pixel of AMSUnet, for a network of which they are not known. */
const USUAL_WORK = 91_561;
/** Pixels that count as measured before. */
const PRIOR = 128 * 128;
/** What earlier runs count in comparison to the newest. */
const EARLIER = 0.5;
/** Milliseconds between two reports of progress. */
const INTERVAL = 200;

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
 * Progress of one prediction. A network reports nothing while it runs, so what it should have done is estimated by time.
 */
export class Progress {
  #pace;
  #onProgress;
  #done = 0;
  #running = 0;
  #after = 0;
  #since = 0;
  #reported = 0;
  #timer;

  /**
   * @param {Pace} pace
   * @param {(fraction: number, secondsLeft: number) => void} onProgress
   */
  constructor(pace, onProgress) {
    this.#pace = pace;
    this.#onProgress = onProgress;
    this.#timer = setInterval(() => this.#report(), INTERVAL);
  }

  /**
   * A run begins.
   *
   * @param {number} pixels Of this run.
   * @param {number} after Pixels of all runs that follow it.
   */
  run(pixels, after) {
    this.#running = pixels;
    this.#after = after;
    this.#since = performance.now();
    this.#report();
  }

  /** The run that began last has ended. */
  ran() {
    this.#pace.measured(this.#running, (performance.now() - this.#since) / 1000);
    this.#done += this.#running;
    this.#running = 0;
  }

  stop() {
    clearInterval(this.#timer);
  }

  #report() {
    if (!this.#running) return;
    const elapsed = (performance.now() - this.#since) / 1000;
    const expected = this.#pace.seconds(this.#running);
    // Near its end a run that takes longer than expected goes slower and slower, and never arrives.
    const share = 1 - Math.exp((-1.6 * elapsed) / expected);
    const total = this.#done + this.#running + this.#after;
    // Of an image that is looked at in two ways before, the total is not known from the beginning.
    this.#reported = Math.max(this.#reported, (this.#done + share * this.#running) / total);
    this.#onProgress(this.#reported, this.#pace.seconds(this.#after) + Math.max(0, expected - elapsed));
  }
}
