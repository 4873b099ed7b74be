/** Files that come to the page: dropped, with folders opened; pasted; chosen. */

/** @typedef {{name: string, file: Blob}} Incoming */

const SKIPPED = /^(\.|thumbs\.db$|desktop\.ini$)/i;

/**
 * All files of something dropped or pasted. Folders are opened; what hides from people stays hidden.
 * @param {DataTransfer} transfer
 * @returns {Promise<Incoming[]>}
 */
export async function filesOf(transfer) {
  const roots = [...transfer.items].filter(({ kind }) => kind === "file").map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const found = await Promise.all(roots.map((root) => (root === null ? [] : root instanceof File ? [root] : filesUnder(root))));
  return found.flat().filter(({ name }) => !SKIPPED.test(name)).map((file) => ({ name: file.name, file }));
}

/**
 * @param {FileSystemEntry} entry
 * @returns {Promise<File[]>}
 */
async function filesUnder(entry) {
  if (entry.isFile) {
    return [await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject))];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  /** @type {FileSystemEntry[]} */
  const entries = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) {
      break;
    }
    entries.push(...some);
  }
  entries.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
  return (await Promise.all(entries.map(filesUnder))).flat();
}

/**
 * Listen for files that are dropped anywhere, pasted, or chosen.
 * @param {HTMLElement} veil Seen while something is held over the page.
 * @param {HTMLInputElement} input
 * @param {(files: Incoming[]) => void} take
 */
export function listenForFiles(veil, input, take) {
  let depth = 0;
  const holdsFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => {
    if (holdsFiles(event)) {
      depth += 1;
      veil.hidden = false;
    }
  });
  addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    veil.hidden = depth === 0;
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", async (event) => {
    event.preventDefault();
    depth = 0;
    veil.hidden = true;
    if (event.dataTransfer && holdsFiles(event)) {
      take(await filesOf(event.dataTransfer));
    }
  });
  addEventListener("paste", async (event) => {
    if (event.clipboardData?.items.length && [...event.clipboardData.items].some(({ kind }) => kind === "file")) {
      event.preventDefault();
      take(await filesOf(event.clipboardData));
    }
  });
  input.addEventListener("change", () => {
    take([...(input.files ?? [])].map((file) => ({ name: file.name, file })));
    input.value = "";
  });
}
