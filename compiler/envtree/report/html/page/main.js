// The page as a whole: what is drawn once, and what is drawn again when the state changes.

const NARROW = matchMedia("(max-width: 799px)");
const isNarrow = () => NARROW.matches;
const FILTERS = ["node", "environment", "text", "columns", "one", "other", "differ", "changes"];

function drawHead() {
  const name = TREE?.name || "No organization";
  document.title = `${visible(name)} – envtree`;
  byId("name").textContent = visible(name);
  byId("about").replaceChildren(...aboutWords());
  const agents = new Set(BUNDLES.map((bundle) => bundle.path)).size;
  const all = nodes[0];
  const stats = [plural(agents, "agent"), plural(BUNDLES.length, "bundle"), plural(all?.keys.size ?? 0, "key")];
  stats.push(plural(all?.secrets.size ?? 0, "secret"), plural(FINDINGS.length, "finding"));
  const broken = BUNDLES.filter((bundle) => !bundle.computed).length;
  if (broken) stats.push(`${plural(broken, "bundle")} not computed`);
  stats.push(`envtree ${DATA.version}`);
  byId("stats").replaceChildren(...stats.map((text) => make("li", {}, text)));
}

function aboutWords() {
  const some = BUNDLES.length < DATA.all ? `${BUNDLES.length} of ${DATA.all} bundles` : "";
  if (!DIFFERENCE) return [some];
  const { base, head, added, removed, spoiled } = DIFFERENCE;
  const changed = BUNDLES.filter((bundle) => bundle.changed.size).length;
  const counts = [`${plural(changed, "bundle")} changed`, `${added.length} added`];
  if (spoiled.length) counts.push(`${spoiled.length} not compared`);
  const words = `from ${visible(base)} to ${visible(head)}: ${counts.join(", ")}, `;
  return [some && `${some}; `, words, removedList(removed)];
}

/** The bundles that are no more have no column. */
function removedList(removed) {
  if (!removed.length) return "0 removed";
  const items = removed.map((id) => make("li", {}, visible(id)));
  return make("details", {}, make("summary", {}, `${removed.length} removed`), make("ul", {}, ...items));
}

function drawLegend() {
  const kinds = Object.entries(KINDS).map(([kind, code]) =>
    make("li", { class: `k-${kind}` }, make("span", { class: "code" }, code), ` ${kind}`),
  );
  const signs = [
    ["lock", "locked"],
    ["key", "secret"],
  ].map(([name, word]) => make("li", {}, icon(name), ` ${word}`));
  byId("legend").replaceChildren(...kinds, ...signs);
}

function drawMatrix() {
  const columns = columnsOf();
  const rows = rowsOf(columns);
  drawStatus(columns, rows);
  fillGrid(columns, rows);
}

/** Marks the cell whose provenance is open. */
function markOpen() {
  for (const cell of canvas.querySelectorAll(".open")) cell.classList.remove("open");
  const row = matrix.rows.findIndex((one) => one.key && one.key === state.key);
  const column = matrix.columns.findIndex((one) => one.name === state.at);
  matrix.drawn.get(row)?.cells.get(column)?.classList.add("open");
  return { row, column };
}

/** A link to a view with a provenance also shows its cell. */
function showOpen() {
  const { row, column } = markOpen();
  if (row < 0 || column < 0) return;
  Object.assign(matrix.active, { row, column });
  const { size } = matrix;
  grid.scrollTo(column * size.column - size.column, row * size.row - grid.clientHeight / 2);
  redrawGrid();
  markOpen();
}

watch((changed) => {
  drawControls();
  if (FILTERS.some((name) => changed.has(name))) {
    drawMatrix();
    drawTree();
    drawFindings();
  }
  if (changed.has("severity") || changed.has("words")) drawFindings();
  if (changed.has("view") && state.view === "matrix") redrawGrid();
  if (changed.has("at") || changed.has("key") || FILTERS.some((name) => changed.has(name))) {
    drawPanel();
    markOpen();
  }
});

/** What stands beside or above the matrix where there is room for it can be opened where there is none. */
function fold() {
  byId("side").open = !isNarrow();
}

NARROW.addEventListener("change", fold);
fold();
setUpControls();
plantTree();
drawHead();
drawLegend();
drawControls();
drawTree();
drawFindings();
drawDifference();
drawMatrix();
drawPanel();
showOpen();
