/** The page: its parts put together, and what people do with them. */

import { showCard, shortName } from "./card.js";
import { find, make, oncePerFrame } from "./dom.js";
import { Engine } from "./engine.js";
import { PageError } from "./errors.js";
import { fileOf, fitting, showExamples } from "./examples.js";
import { Images } from "./images.js";
import { listenForFiles } from "./intake.js";
import { isolate } from "./isolate.js";
import { listenForKeys, showKeys } from "./keyboard.js";
import { listenForLanguage } from "./language.js";
import { used } from "./measure.js";
import { Panel } from "./panel.js";
import { addReference, stemOf } from "./reference.js";
import { load } from "./resources.js";
import { saveMask, saveMasks, saveObjects, savePicture, saveTable } from "./save.js";
import { Screen } from "./screen.js";
import { reviewReasonsOf, sentenceOf } from "./sentences.js";
import { Strip } from "./strip.js";
import { fillWords, percent, t } from "./i18n.js";

/**
 * @typedef {import("./images.js").Entry} Entry
 * @typedef {import("./intake.js").Incoming} Incoming
 * @typedef {import("./types.js").Network} Network
 * @typedef {import("./types.js").Spacing} Spacing
 */

const TYPICAL = 256;
const STEP = 0.05;

/** @type {Network[]} */
let networks = [];
/** @type {Network | null} */
let network = null;
/** @type {import("./examples.js").Example[]} */
let examples = [];
/** @type {any} */
let engine = null;
/** Of the network that was chosen last: settled when it works, or fails to. */
let opening = Promise.resolve();
/** @type {Spacing | null} Typed in: it holds for all images. */
let typed = null;
/** @type {import("./screen.js").Look} */
const look = { style: "outline", opacity: { fill: 0.35, uncertainty: 0.8 }, beside: false, hidden: false };

const screen = new Screen(find("#stage"));
const show = oncePerFrame(showNow);
const images = new Images((entry) => {
  if (entry === null) {
    listIsOther = true;
  } else if (entry !== images.selected) {
    strip.update(entry, false, needsReview(entry));
    strip.showCount(images.entries);
    if (entry.state !== "done") {
      return;
    }
  }
  show();
});
let listIsOther = true;
const fileInput = find("#files");
const maskInput = find("#masks");
const strip = new Strip(find("#strip"), {
  select: (entry) => images.select(entry),
  remove: (entry) => images.remove(entry),
  add: () => fileInput.click(),
  clear: () => images.clear(),
});
const panel = new Panel(find("#panel"), {
  choose: (choice) => images.choose(choice),
  style: (style) => change({ style }),
  opacity: (opacity) => change({ opacity: { ...look.opacity, [look.style]: opacity } }),
  spacing: (spacing) => {
    typed = spacing;
    show();
  },
  reference: () => maskInput.click(),
  forget: () => images.selected && images.compare(images.selected, null),
  save,
});

/** @param {Partial<import("./screen.js").Look>} changed */
function change(changed) {
  Object.assign(look, changed);
  show();
}

/** @type {(entry: Entry | null) => Spacing | null} */
function spacingOf(entry) {
  return typed ?? entry?.view?.spacing ?? null;
}

/** @type {(entry: Entry) => boolean} */
function needsReview(entry) {
  return reviewReasonsOf(entry, engine?.description ?? null).length > 0;
}

function showNow() {
  const entry = images.selected;
  document.body.dataset.screen = images.entries.length ? "work" : "empty";
  if (listIsOther) {
    strip.show(images.entries, entry, needsReview);
    listIsOther = false;
  } else if (entry) {
    strip.update(entry, true, needsReview(entry));
  }
  strip.showCount(images.entries);
  find("[data-act=beside]").setAttribute("aria-pressed", String(look.beside));
  screen.show(entry, look, spacingOf(entry));
  panel.show({
    entry, description: engine?.description ?? null, choice: images.choice, ...look, spacing: spacingOf(entry),
    typed: typed !== null, several: images.entries.filter(({ state }) => state === "done").length > 1,
    reviewReasons: entry ? reviewReasonsOf(entry, engine?.description ?? null) : [],
  });
}

/** All that depends on the language or the network. */
function showFrame() {
  fillWords(document);
  panel.build();
  const seconds = engine ? engine.estimate(TYPICAL, TYPICAL) : null;
  showCard(find("#card"), network, seconds);
  showCard(panel.card, network, seconds);
  const own = fitting(examples, network);
  find("#examples").hidden = !own.length;
  showExamples(find("#examples .examples"), own, openExample);
  listIsOther = true;
  show();
}

/** @param {import("./examples.js").Example} example */
async function openExample(example) {
  const [entry] = images.add([await fileOf(example.file)]);
  if (example.mask) {
    await addReferences([await fileOf(example.mask)], entry);
  }
}

/** @param {Incoming[]} files */
function take(files) {
  if (files.length) {
    complain(null);
    images.add(files);
  } else {
    complain(new PageError("no_files"));
  }
}

/**
 * Say what went wrong, or that nothing does any more.
 * @param {unknown} error
 * @param {string} [name]
 */
function complain(error, name = "") {
  const problem = find("#problem");
  problem.hidden = error === null;
  problem.textContent = error === null ? "" : sentenceOf(error, name);
}

/**
 * @param {Incoming[]} files
 * @param {Entry | null} [target] The image that is shown.
 */
async function addReferences(files, target = images.selected) {
  complain(null);
  await opening;
  for (const incoming of engine ? files : []) {
    const named = images.entries.find(({ name }) => stemOf(name) === stemOf(incoming.name));
    const entry = files.length === 1 ? target : named ?? null;
    await addReference(incoming, entry, images, engine.description).catch((error) => complain(error, incoming.name));
  }
}

/** @param {import("./panel.js").Saved} what */
async function save(what) {
  const entry = images.selected;
  try {
    if (entry) await images.restore(entry); // of one chosen a moment ago
    if (what === "masks") {
      await saveMasks(images);
    } else if (what === "objects" || what === "counts") {
      await images.settle();
      const about = (/** @type {Entry} */ one) => ({ spacing: spacingOf(one), check: reviewReasonsOf(one, engine.description).join(" ") });
      await saveTable(images, what, network?.name ?? "", about);
    } else if (entry && what === "mask") {
      await saveMask(entry, engine.description);
    } else if (entry && what === "overlay") {
      await savePicture(entry, /** @type {HTMLCanvasElement} */ (screen.image), screen.layers);
    } else if (entry) {
      await saveObjects(entry, /** @type {"rois" | "geojson" | "labels"} */ (what), spacingOf(entry));
    }
    complain(null);
  } catch (error) {
    complain(error, entry?.name);
  }
}

/** @param {Network} wanted */
async function useNetwork(wanted) {
  network = wanted;
  const former = engine;
  engine = null;
  images.use(null);
  former?.close();
  showFrame();
  const loading = find("#loading");
  const onProgress = (/** @type {number} */ fraction) => {
    find("span", loading).textContent = t("loading", { percent: percent(fraction) });
    find("progress", loading).value = fraction;
  };
  onProgress(0);
  loading.hidden = false;
  try {
    const opened = await Engine.open(wanted, { onProgress });
    if (network !== wanted) {
      opened.close();
      return;
    }
    engine = opened;
    images.use(engine);
    complain(null);
  } catch (error) {
    complain(error, shortName(wanted.name));
  }
  loading.hidden = true;
  showFrame();
}

/** @param {number} step */
function step(step) {
  const at = images.selected ? images.entries.indexOf(images.selected) : -1;
  const next = images.entries[at + step];
  if (next) {
    images.select(next);
  }
}

/** @param {number} by */
function moveThreshold(by) {
  const { selected, choice } = images;
  if (selected?.measured && engine?.description.convention.class_names.length === 2) {
    const { threshold } = used(engine.description, choice, selected.prediction?.width ?? 1, selected.prediction?.height ?? 1);
    images.choose({ threshold: Math.min(0.99, Math.max(0.01, Number((threshold + by).toFixed(2)))) });
  }
}

/** @type {Record<string, () => void>} */
const ACTS = {
  choose: () => fileInput.click(),
  cancel: () => images.cancel(),
  again: () => images.selected && images.again(images.selected),
  "zoom-in": () => screen.stage.zoom(1.5),
  "zoom-out": () => screen.stage.zoom(1 / 1.5),
  fit: () => screen.stage.fit(),
  beside: () => change({ beside: !look.beside }),
};

function listen() {
  document.addEventListener("click", (event) => {
    const act = event.target instanceof Element ? event.target.closest("[data-act]") : null;
    ACTS[/** @type {HTMLElement | null} */ (act)?.dataset.act ?? ""]?.();
  });
  listenForFiles(find("#veil"), fileInput, take);
  maskInput.addEventListener("change", () => {
    addReferences([.../** @type {FileList} */ (maskInput.files)].map((file) => ({ name: file.name, file })));
    maskInput.value = "";
  });
  find("#help").addEventListener("click", () => showKeys(find("#keyboard")));
  listenForKeys({
    n: () => step(1), p: () => step(-1),
    1: () => change({ style: "outline" }), 2: () => change({ style: "fill" }), 3: () => change({ style: "uncertainty" }),
    h: () => change({ hidden: true }), "h up": () => change({ hidden: false }),
    "[": () => moveThreshold(-STEP), "]": () => moveThreshold(STEP),
    "+": ACTS["zoom-in"], "=": ACTS["zoom-in"], "-": ACTS["zoom-out"], f: ACTS.fit,
    0: () => screen.stage.zoom(1 / screen.stage.scale), s: ACTS.beside, o: ACTS.choose, escape: ACTS.cancel,
    "?": () => showKeys(find("#keyboard")),
  });
}

async function start() {
  listenForLanguage(document.querySelectorAll(".language button"), showFrame);
  if (await isolate()) {
    return;
  }
  listen();
  showFrame();
  const read = async (/** @type {string} */ path) => JSON.parse(new TextDecoder().decode(await load(path)));
  try {
    networks = await read("networks.json");
    examples = await read("examples.json").catch(() => []);
  } catch (error) {
    find("#loading").hidden = true;
    complain(error);
    return;
  }
  const choice = find("#network");
  choice.replaceChildren(...networks.map(({ name }, index) => make("option", { value: index }, shortName(name))));
  choice.closest("label").classList.toggle("alone", networks.length === 1);
  choice.addEventListener("change", () => {
    opening = useNetwork(networks[Number(choice.value)]);
  });
  opening = useNetwork(networks[0]);
}

start();
