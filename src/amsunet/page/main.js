/** The page: its parts put together, and what people do with them. */

import { showCard, shortName } from "./card.js";
import { decode } from "./decode.js";
import { find, make, oncePerFrame } from "./dom.js";
import { Engine } from "./engine.js";
import { PageError } from "./errors.js";
import { Images } from "./images.js";
import { listenForFiles } from "./intake.js";
import { listenForKeys, showKeys } from "./keyboard.js";
import { used } from "./measure.js";
import { Panel } from "./panel.js";
import { referenceLabels, stemOf } from "./reference.js";
import { load } from "./resources.js";
import { saveMask, saveMasks, savePicture, saveTable } from "./save.js";
import { Screen } from "./screen.js";
import { doubtsOf, sentenceOf } from "./sentences.js";
import { Strip } from "./strip.js";
import { fillWords, languageInUse, percent, say, useLanguage } from "./say.js";
import { LANGUAGES } from "./words.js";

/**
 * @typedef {import("./images.js").Entry} Entry
 * @typedef {import("./intake.js").Incoming} Incoming
 * @typedef {import("./types.js").Network} Network
 * @typedef {import("./types.js").Spacing} Spacing
 * @typedef {{name: string, file: string, mask: string | null, network: string | null, terms: string}} Example
 */

const TYPICAL = 256;
const STEP = 0.05;

/** @type {Network[]} */
let networks = [];
/** @type {Network | null} */
let network = null;
/** @type {Example[]} */
let examples = [];
/** @type {any} */
let engine = null;
/** @type {Spacing | null} Typed in: it holds for all images. */
let typed = null;
/** @type {import("./screen.js").Look} */
const look = { style: "outline", opacity: 0.45, beside: false, hidden: false };

const screen = new Screen(find("#stage"));
const show = oncePerFrame(showNow);
const images = new Images((entry) => {
  if (entry === null) {
    listIsOther = true;
  } else if (entry !== images.selected) {
    strip.update(entry, false, isDoubted(entry));
    return;
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
  opacity: (opacity) => change({ opacity }),
  spacing: (spacing) => {
    typed = spacing;
    show();
  },
  reference: () => maskInput.click(),
  forget: () => setReference(images.selected, null),
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
function isDoubted(entry) {
  return doubtsOf(entry, engine?.description ?? null).length > 0;
}

function showNow() {
  const entry = images.selected;
  document.body.dataset.screen = images.entries.length ? "work" : "empty";
  if (listIsOther) {
    strip.show(images.entries, entry, isDoubted);
    listIsOther = false;
  } else if (entry) {
    strip.update(entry, true, isDoubted(entry));
  }
  find("[data-act=beside]").setAttribute("aria-pressed", String(look.beside));
  screen.show(entry, look, spacingOf(entry));
  panel.show({
    entry, description: engine?.description ?? null, choice: images.choice, ...look, spacing: spacingOf(entry),
    typed: typed !== null, several: images.entries.filter(({ state }) => state === "done").length > 1,
    doubts: entry ? doubtsOf(entry, engine?.description ?? null) : [],
  });
}

/** All that depends on the language or the network. */
function showFrame() {
  fillWords(document);
  for (const button of document.querySelectorAll(".language button")) {
    button.setAttribute("aria-pressed", String(/** @type {HTMLButtonElement} */ (button).value === languageInUse()));
    button.setAttribute("title", LANGUAGES[/** @type {"en" | "ko"} */ (/** @type {HTMLButtonElement} */ (button).value)]);
  }
  panel.build();
  const seconds = engine ? engine.estimate(TYPICAL, TYPICAL) : null;
  showCard(find("#card"), network, seconds, false);
  if (panel.about) {
    const card = make("div", { class: "card" });
    showCard(card, network, seconds, false);
    panel.about.replaceChildren(make("h2", {}, say("about")), card);
  }
  showExamples();
  listIsOther = true;
  show();
}

function showExamples() {
  const own = examples.filter((example) => example.network === network?.name);
  const fitting = own.length || network?.card ? own : examples;
  find("#examples").hidden = !fitting.length;
  find("#examples .examples").replaceChildren(...fitting.map((example) => {
    const picture = make("img", { alt: "", width: 96, height: 96 });
    load(example.file).then((bytes) => {
      picture.src = URL.createObjectURL(new Blob([bytes]));
    }, () => {});
    const button = make("button", { type: "button", title: example.terms, onclick: () => openExample(example) }, picture,
      make("span", {}, say("example", { name: example.name })));
    return button;
  }));
}

/** @param {Example} example */
async function openExample(example) {
  const name = example.file.split("/").pop() ?? example.name;
  const [entry] = images.add([{ name, file: new Blob([await load(example.file)]) }]);
  if (example.mask) {
    const mask = new Blob([await load(example.mask)]);
    await addReferences([{ name: example.mask.split("/").pop() ?? name, file: mask }], entry);
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
 * Reference masks: one is for the image that is shown, several are matched by name.
 * @param {Incoming[]} files
 * @param {Entry | null} [target]
 */
async function addReferences(files, target = images.selected) {
  complain(null);
  for (const { name, file } of files) {
    const entry = files.length === 1 ? target : images.entries.find((one) => stemOf(one.name) === stemOf(name));
    try {
      if (!entry) {
        throw new PageError("reference_pair", { name });
      }
      const picture = await decode(new Uint8Array(await file.arrayBuffer()), name);
      if (!entry.view) {
        await images.look(entry);
      }
      const { width, height } = entry.view ?? picture;
      if (picture.width !== width || picture.height !== height) {
        throw new PageError("reference_size", { name, width: picture.width, height: picture.height, wanted_width: width, wanted_height: height });
      }
      setReference(entry, { name, labels: referenceLabels(picture, engine.description, name) });
    } catch (error) {
      complain(error, name);
    }
  }
}

/**
 * @param {Entry | null} entry
 * @param {Entry["reference"]} reference
 */
async function setReference(entry, reference) {
  if (entry) {
    entry.reference = reference;
    await images.recall(entry);
    images.measure(entry);
  }
}

/** @param {"mask" | "overlay" | "objects" | "images" | "masks"} what */
async function save(what) {
  const entry = images.selected;
  if (what === "masks") {
    await saveMasks(images);
  } else if (what === "objects" || what === "images") {
    await images.settle();
    saveTable(images.entries.flatMap(rowOf), what);
  } else if (entry && what === "mask") {
    await saveMask(entry, engine.description);
  } else if (entry && screen.image) {
    await savePicture(entry, screen.image, screen.layers);
  }
}

/** @type {(entry: Entry) => import("./table.js").Row[]} */
function rowOf(entry) {
  const { name, measured, prediction, state } = entry;
  if (!measured || !prediction || state !== "done") {
    return [];
  }
  const { width, height } = prediction;
  const check = doubtsOf(entry, engine.description).join(" ");
  return [{ name, width, height, network: network?.name ?? "", measured, spacing: spacingOf(entry), check }];
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
    find("span", loading).textContent = say("loading", { percent: percent(fraction) });
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
  for (const button of document.querySelectorAll(".language button")) {
    button.addEventListener("click", () => {
      useLanguage(/** @type {HTMLButtonElement} */ (button).value);
      remember("language", languageInUse());
      showFrame();
    });
  }
}

/** @type {(name: string, value?: string) => string | null} Kept for the next visit, where the browser lets the page. */
function remember(name, value) {
  try {
    if (value !== undefined) {
      localStorage.setItem(`amsunet.${name}`, value);
    }
    return localStorage.getItem(`amsunet.${name}`);
  } catch {
    return null;
  }
}

async function start() {
  useLanguage(remember("language") ?? navigator.language);
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
  choice.addEventListener("change", () => useNetwork(networks[Number(choice.value)]));
  await useNetwork(networks[0]);
}

start();
