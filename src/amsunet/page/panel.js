/** The panel beside the image: what was found, how it is shown, what may be moved, and what can be taken away. */

import { make } from "./dom.js";
import { used } from "./measure.js";
import { colourOf, css } from "./paint.js";
import { isPossible } from "./spacing.js";
import { areaOfPixel } from "./table.js";
import { duration, number, percent, t } from "./i18n.js";

/**
 * @typedef {import("./images.js").Entry} Entry
 * @typedef {import("./measure.js").Choice} Choice
 * @typedef {import("./types.js").Description} Description
 * @typedef {import("./types.js").Spacing} Spacing
 *
 * @typedef {"outline" | "fill" | "uncertainty" | "none"} Style
 *
 * @typedef {object} Shown
 * @property {Entry | null} entry
 * @property {Description | null} description
 * @property {Choice} choice
 * @property {Style} style
 * @property {{fill: number, uncertainty: number}} opacity
 * @property {Spacing | null} spacing
 * @property {boolean} typed Whether the spacing was typed in.
 * @property {boolean} several Whether more than one image has a mask.
 * @property {string[]} reviewReasons Why the mask is to be checked, in sentences.
 *
 * @typedef {"mask" | "overlay" | "objects" | "counts" | "rois" | "geojson" | "labels" | "masks"} Saved
 *
 * @typedef {object} Actions
 * @property {(choice: Partial<Choice>) => void} choose
 * @property {(style: Style) => void} style
 * @property {(opacity: number) => void} opacity
 * @property {(spacing: Spacing | null) => void} spacing
 * @property {() => void} reference
 * @property {() => void} forget
 * @property {(what: Saved) => void} save
 */

/** @type {Style[]} */
const STYLES = ["outline", "fill", "uncertainty", "none"];
const MOST_SMALLEST = 1000;
const MOST_SEPARATION = 10;

/**
 * A slider with its name, its value and a way back.
 * @param {string} key
 * @param {{min: number, max: number, step: number}} range
 * @param {(value: number | null) => void} act Null sets it back.
 */
function slider(key, range, act) {
  const id = `slider-${key}`;
  const input = make("input", { type: "range", id, ...range, oninput: (event) => act(Number(event.target.value)) });
  const value = make("output", { for: id });
  const reset = make("button", { type: "button", class: "quiet small", hidden: true, onclick: () => act(null) }, t("reset"));
  const root = make("div", { class: "slider" },
    make("div", { class: "line" }, make("label", { for: id }, t(key)), make("span", {}, reset, value)),
    input, make("p", { class: "soft small" }, t(`${key}.note`)));
  return { root, input, value, reset };
}

export class Panel {
  /**
   * @param {HTMLElement} root
   * @param {Actions} actions
   */
  constructor(root, actions) {
    this.root = root;
    this.actions = actions;
    this.card = make("div", {});
    this.build();
  }

  /** Make all of it, in the language of now. */
  build() {
    const { actions } = this;
    this.result = make("section", { class: "result", "aria-live": "polite" });
    this.styles = STYLES.map((style) =>
      make("button", { type: "button", "aria-pressed": "false", onclick: () => actions.style(style) }, t(`style.${style}`)));
    this.opacity = make("input", { type: "range", id: "opacity", min: 0, max: 1, step: 0.01,
      oninput: (event) => actions.opacity(Number(event.target.value)) });
    this.opacityLine = make("div", { class: "line opacity" }, make("label", { for: "opacity" }, t("opacity")), this.opacity);
    this.ramp = make("div", { class: "ramp soft small" }, make("span", {}, t("sure")), make("i", {}), make("span", {}, t("not.sure")));
    this.threshold = slider("threshold", { min: 0.01, max: 0.99, step: 0.01 }, (threshold) => actions.choose({ threshold }));
    this.smallest = slider("smallest", { min: 0, max: 1, step: 0.001 }, (place) =>
      actions.choose({ smallest: place === null ? null : toPixels(place) }));
    this.separation = slider("separation", { min: 0, max: MOST_SEPARATION, step: 0.1 }, (separation) => actions.choose({ separation }));
    this.sliders = make("section", { class: "sliders" }, this.threshold.root, this.smallest.root, this.separation.root);
    this.size = make("input", { type: "text", inputmode: "decimal", id: "pixel-size", autocomplete: "off", oninput: () => this.typed() });
    this.unit = make("select", { "aria-label": t("pixel.unit"), onchange: () => this.typed() },
      make("option", { value: "µm" }, "µm"), make("option", { value: "mm" }, "mm"));
    this.sizeNote = make("p", { class: "soft small" });
    this.reference = make("section", { class: "reference" });
    this.saves = make("div", { class: "saves" });
    this.body = make("div", { class: "body" },
      make("section", {}, make("h2", {}, t("show")), make("div", { class: "choice", role: "group", "aria-label": t("show") }, ...this.styles),
        this.opacityLine, this.ramp),
      this.sliders,
      make("section", {}, make("div", { class: "line size" }, make("label", { for: "pixel-size" }, t("pixel.size")),
        make("span", {}, this.size, this.unit)), this.sizeNote),
      this.reference);
    this.card.className = "card";
    const about = make("section", { class: "about" }, make("h2", {}, t("about")), this.card);
    this.save = make("section", { class: "save" }, make("h2", {}, t("save")), this.saves);
    this.root.replaceChildren(make("div", { class: "scroll" }, this.result, this.body, about), this.save);
  }

  typed() {
    const side = Number(this.size?.value.replace(",", "."));
    const unit = /** @type {"mm" | "µm"} */ (this.unit?.value);
    const possible = isPossible(unit === "mm" ? 1000 * side : side);
    this.size?.setAttribute("aria-invalid", String(Boolean(this.size.value.trim()) && !possible));
    this.actions.spacing(possible ? { rows: side, columns: side, unit } : null);
  }

  /** @param {Shown} shown */
  show(shown) {
    const { entry, style } = shown;
    this.result?.replaceChildren(...resultOf(shown));
    const ready = /** @type {const} */ ([[this.body, Boolean(entry?.measured)], [this.save, entry?.state === "done"]]);
    for (const [part, useful] of ready) {
      part?.toggleAttribute("inert", !useful); // a preview is looked at, and not saved
      part?.classList.toggle("idle", !useful);
    }
    STYLES.forEach((one, index) => this.styles?.[index].setAttribute("aria-pressed", String(one === style)));
    if (this.opacity && this.opacityLine && this.ramp) {
      const painted = style === "fill" || style === "uncertainty";
      this.opacityLine.hidden = !painted;
      this.opacity.value = painted ? String(shown.opacity[style]) : "";
      this.ramp.hidden = style !== "uncertainty";
    }
    this.showSliders(shown);
    this.showSize(shown);
    this.showReference(shown);
    this.showSaves(shown);
  }

  /** @param {Shown} shown */
  showSliders({ entry, description, choice }) {
    if (!this.threshold || !this.smallest || !this.separation || !description) {
      return;
    }
    for (const { root } of [this.threshold, this.smallest]) {
      root.hidden = description.convention.class_names.length !== 2;
    }
    const { width, height, spacing } = entry?.view ?? entry?.prediction ?? { width: 1, height: 1, spacing: null };
    const { threshold, smallest, separation } = used(description, choice, width, height, spacing);
    this.threshold.input.value = String(threshold);
    this.threshold.value.textContent = number(threshold, 2);
    this.threshold.reset.hidden = choice.threshold === null;
    if (document.activeElement !== this.smallest.input || choice.smallest === null) {
      this.smallest.input.value = String(toPlace(smallest));
    }
    this.smallest.value.textContent = `${number(Math.round(smallest))} ${t("pixels")}`;
    this.smallest.input.setAttribute("aria-valuetext", this.smallest.value.textContent);
    this.smallest.reset.hidden = choice.smallest === null;
    this.separation.input.value = String(separation);
    this.separation.value.textContent = separation ? `${number(separation, 1)} ${t("pixels")}` : t("separation.none");
    this.separation.input.setAttribute("aria-valuetext", this.separation.value.textContent);
    this.separation.reset.hidden = choice.separation === null;
  }

  /** @param {Shown} shown */
  showSize({ spacing, typed }) {
    if (!this.size || !this.unit || !this.sizeNote) {
      return;
    }
    if (document.activeElement !== this.size) {
      this.size.removeAttribute("aria-invalid");
      this.size.value = spacing ? String(Number(spacing.columns.toPrecision(6))) : "";
    }
    this.unit.value = spacing?.unit ?? this.unit.value;
    this.sizeNote.textContent = t(!spacing ? "pixel.unknown" : typed ? "pixel.typed" : "pixel.file");
  }

  /** @param {Shown} shown */
  showReference({ entry }) {
    const held = entry?.reference ?? null;
    const dices = entry?.measured?.classes ?? [];
    const lines = held
      ? [make("p", { class: "name" }, held.name),
        ...dices.map(({ name, dice }) => make("p", { class: "line dice" },
          make("span", {}, dices.length > 1 ? `${t("dice")}, ${name}` : t("dice")), make("b", {}, dice === null ? "–" : number(dice, 3)))),
        make("button", { type: "button", class: "quiet small", onclick: this.actions.forget }, t("reference.remove"))]
      : [make("button", { type: "button", class: "wide", onclick: this.actions.reference }, t("reference.choose")),
        make("p", { class: "soft small" }, t("reference.note"))];
    this.reference?.replaceChildren(make("h2", {}, t("reference")), ...lines);
  }

  /** @param {Shown} shown */
  showSaves({ several }) {
    /** @type {Saved[]} */
    const wanted = ["mask", "overlay", "objects", "counts", "rois", "geojson", "labels"];
    if (several) {
      wanted.push("masks");
    }
    if (this.saves?.children.length !== wanted.length) {
      this.saves?.replaceChildren(...wanted.map((what) =>
        make("button", { type: "button", onclick: () => this.actions.save(what) }, t(`save.${what}`))));
    }
  }
}

/** @type {(place: number) => number} A slider's place to pixels: fine for small ones, coarse for large ones. */
function toPixels(place) {
  return Math.round(MOST_SMALLEST * place * place);
}

/** @type {(pixels: number) => number} */
function toPlace(pixels) {
  return Math.min(1, Math.sqrt(pixels / MOST_SMALLEST));
}

/**
 * @param {Shown} shown
 * @returns {Node[]}
 */
function resultOf({ entry, spacing, reviewReasons }) {
  if (!entry) {
    return [];
  }
  const { measured, prediction, view } = entry;
  const size = prediction ?? view;
  const seconds = prediction && entry.state === "done" ? prediction.seconds : null;
  const parts = [make("h2", { class: "name" }, entry.name)];
  if (size) {
    const { width, height } = size;
    const text = seconds === null ? `${width} × ${height}` : t("done", { width, height, time: duration(seconds) });
    parts.push(make("p", { class: "soft small" }, text));
  }
  if (!measured || !size) {
    const none = (/** @type {string} */ key) => make("p", {}, make("b", {}, "–"), t(key, { n: 2 }));
    return [...parts, make("div", { class: "figures idle" }, none("objects"), none("area"))];
  }
  const pixels = size.width * size.height;
  const area = (/** @type {number} */ count) => areaText(count, spacing);
  if (measured.classes.length === 1) {
    const [one] = measured.classes;
    parts.push(make("div", { class: "figures" },
      make("p", {}, make("b", {}, number(one.objects)), t("objects", { n: one.objects })),
      make("p", {}, make("b", {}, ...area(one.pixels)), t("share.value", { n: number((100 * one.pixels) / pixels, 1) }))));
  } else {
    const rows = measured.classes.map((one, index) => {
      const swatch = make("i", {});
      swatch.style.background = css(colourOf(index + 1));
      return make("tr", {}, make("th", { scope: "row" }, swatch, one.name), make("td", { class: "number" }, number(one.objects)),
        make("td", { class: "number" }, ...area(one.pixels)), make("td", { class: "number" }, percent(one.pixels / pixels)));
    });
    const heads = ["class", "objects", "area", "share"].map((key, index) =>
      make("th", { scope: "col", class: index ? "number" : "" }, t(key, { n: 2 })));
    parts.push(make("table", { class: "classes" }, make("tr", {}, ...heads), ...rows));
  }
  if (!measured.objects.length) {
    parts.push(make("p", { class: "soft small" }, t(measured.smallest ? "nothing.smallest" : "nothing")));
  }
  if (entry.state === "done") {
    parts.push(make("p", { class: "small", title: t("expected.note") }, t("expected", { n: number(1 - measured.uncertainty, 2) })));
  }
  if (reviewReasons.length && entry.state === "done") {
    parts.push(make("div", { class: "findings small" }, ...reviewReasons.map((reason) => make("p", {}, reason))));
  }
  return parts;
}

/**
 * @param {number} pixels
 * @param {Spacing | null} spacing
 * @returns {(Node | string)[]} The number, and its unit apart.
 */
function areaText(pixels, spacing) {
  const one = spacing && areaOfPixel(spacing, spacing.unit);
  if (!spacing || !one) {
    return [number(pixels), make("small", {}, ` ${t("pixels")}`)];
  }
  const area = one * pixels;
  const digits = area ? Math.max(0, 2 - Math.floor(Math.log10(area))) : 0;
  return [number(area, Math.min(digits, 8)), make("small", {}, ` ${spacing.unit}²`)];
}
