// The matrix. Only what is in sight, and the cell with the focus, is in the page; the rest is a number.

const grid = byId("grid");
const canvas = make("div", { class: "canvas", role: "presentation" });
const matrix = { columns: [], rows: [], twins: new Map(), active: { row: 0, column: 0 }, drawn: new Map() };
grid.append(canvas);

/** The sizes of the style sheet, in pixels. */
function sizes() {
  const style = getComputedStyle(grid);
  const read = (name) => Number.parseFloat(style.getPropertyValue(name));
  return { head: read("--head"), row: read("--row"), column: read("--column"), first: read("--first") };
}

/** Takes new columns and rows; the cell that had the focus keeps it if it is still there. */
function fillGrid(columns, rows) {
  const { row, column } = activeNames();
  Object.assign(matrix, { columns, rows, twins: twinsOf() });
  const sameRow = rows.findIndex((one) => one.key && one.key === row);
  const sameColumn = columns.findIndex((one) => one.name === column);
  matrix.active = { row: sameRow < 0 ? rows.findIndex((one) => one.key) : sameRow, column: Math.max(sameColumn, 0) };
  grid.setAttribute("aria-rowcount", rows.length + 1);
  grid.setAttribute("aria-colcount", columns.length + 1);
  redrawGrid();
}

function activeNames() {
  const { row, column } = matrix.active;
  return { row: matrix.rows[row]?.key, column: matrix.columns[column]?.name };
}

/** Draws everything anew, for the sizes or the cells have changed. */
function redrawGrid() {
  const hadFocus = grid.contains(document.activeElement);
  const size = sizes();
  matrix.size = size;
  matrix.drawn.clear();
  canvas.replaceChildren();
  canvas.style.width = `${size.first + matrix.columns.length * size.column}px`;
  canvas.style.height = `${size.head + matrix.rows.length * size.row}px`;
  drawGrid();
  if (hadFocus) activeElement()?.focus({ preventScroll: true });
}

/** Puts in what has come into sight, and takes out what has left it. */
function drawGrid() {
  const { size, rows, columns, active, drawn } = matrix;
  if (!rows.length || !columns.length) return;
  const top = Math.max(0, Math.floor((grid.scrollTop - size.head) / size.row) - 4);
  const bottom = Math.min(rows.length - 1, Math.ceil((grid.scrollTop + grid.clientHeight) / size.row) + 4);
  const left = Math.max(0, Math.floor((grid.scrollLeft - size.first) / size.column) - 1);
  const right = Math.min(columns.length - 1, Math.ceil((grid.scrollLeft + grid.clientWidth) / size.column) + 1);
  const wanted = new Set([-1]);
  for (let row = top; row <= bottom; row++) wanted.add(row);
  wanted.add(active.row);
  for (const [row, one] of drawn) if (!wanted.has(row)) (one.element.remove(), drawn.delete(row));
  for (const row of wanted) drawRow(row, left, right);
}

function drawRow(row, left, right) {
  const { size, rows, active, drawn } = matrix;
  if (!drawn.has(row)) {
    const element = row < 0 ? headRow() : rows[row].key ? keyRow(rows[row], row) : titleRow(rows[row], row);
    if (row >= 0) element.style.top = `${size.head + row * size.row}px`;
    const rest = new Map([...drawn].map(([other, one]) => [other, one.element]));
    insertSorted(canvas, rest, row, element);
    drawn.set(row, { element, cells: new Map() });
  }
  if (row >= 0 && !rows[row].key) return;
  const { element, cells } = drawn.get(row);
  for (const [column, cell] of cells) {
    const pinned = row === active.row && column === active.column;
    if ((column < left || column > right) && !pinned) (cell.remove(), cells.delete(column));
  }
  for (let column = left; column <= right; column++) addCell(element, cells, row, column);
  if (row === active.row) addCell(element, cells, row, active.column);
}

function addCell(element, cells, row, column) {
  if (cells.has(column)) return;
  const { size, rows, columns, active } = matrix;
  const cell = row < 0 ? headCell(columns[column]) : gridCell(rows[row], columns[column]);
  cell.style.left = `${size.first + column * size.column}px`;
  cell.setAttribute("aria-colindex", column + 2);
  if (row >= 0) cell.tabIndex = row === active.row && column === active.column ? 0 : -1;
  insertSorted(element, cells, column, cell);
  cells.set(column, cell);
}

/** Puts an element before the next of its siblings, for whoever reads the page by ear. */
function insertSorted(parent, siblings, number, element) {
  const next = Math.min(...[...siblings.keys()].filter((other) => other > number));
  parent.insertBefore(element, siblings.get(next) ?? null);
}

function headRow() {
  const corner = make("div", { role: "columnheader", class: "corner", "aria-colindex": 1 }, "Key");
  return make("div", { role: "row", class: "row head", "aria-rowindex": 1 }, corner);
}

function titleRow({ title, count }, row) {
  const heading = make("span", {}, title, make("small", {}, String(count)));
  const cell = make("div", { role: "rowheader", class: "title", "aria-colindex": 1 }, heading);
  return make("div", { role: "row", class: "row group", "aria-rowindex": row + 2 }, cell);
}

function keyRow({ key, label }, row) {
  const text = make("span", { class: "key", title: visible(key) }, visible(label));
  const header = make(
    "div",
    { role: "rowheader", class: "first", "aria-colindex": 1, "aria-label": visible(key) },
    text,
  );
  return make("div", { role: "row", class: "row", "aria-rowindex": row + 2 }, header);
}

function headCell({ name, bundle, bundles }) {
  const added = bundle && ADDED.has(name);
  const parts = bundle
    ? [make("b", {}, bundle.agent), make("span", {}, [bundle.project, bundle.team].filter(Boolean).join("/"))]
    : [make("b", {}, name), make("span", {}, plural(bundles.length, "bundle"))];
  if (bundle) parts.push(make("em", {}, bundle.environment, added && make("mark", {}, "new")));
  return make("div", { role: "columnheader", class: "top", title: name }, ...parts);
}

const activeElement = () => matrix.drawn.get(matrix.active.row)?.cells.get(matrix.active.column);

/** Moves the focus to a cell, and scrolls it into sight from under the headings. */
function focusCell(row, column) {
  const { size, rows, columns, active } = matrix;
  if (!rows[row]?.key || !columns[column]) return;
  activeElement()?.setAttribute("tabindex", -1);
  Object.assign(active, { row, column });
  const [x, y] = [size.first + column * size.column, size.head + row * size.row];
  const [width, height] = [grid.clientWidth - size.first, grid.clientHeight - size.head];
  grid.scrollLeft = Math.max(Math.min(grid.scrollLeft, x - size.first), x - size.first + size.column - width);
  grid.scrollTop = Math.max(
    Math.min(grid.scrollTop, y - size.head - firstTitle(row)),
    y - size.head + size.row - height,
  );
  drawGrid();
  const element = activeElement();
  element.tabIndex = 0;
  element.focus({ preventScroll: true });
  if (state.key) go(namesAt(row, column));
}

/** The heading above the first key of a section is shown with it. */
const firstTitle = (row) => (matrix.rows[row - 1]?.title ? matrix.size.row : 0);

const namesAt = (row, column) => ({ at: matrix.columns[column].name, key: matrix.rows[row].key });

function onGridKey(event) {
  if (event.altKey || event.metaKey) return;
  const { row, column } = matrix.active;
  const last = matrix.columns.length - 1;
  const page = Math.max(1, Math.floor(grid.clientHeight / matrix.size.row) - 3);
  const steps = {
    ArrowDown: () => focusCell(nextRow(row, 1), column),
    ArrowUp: () => focusCell(nextRow(row, -1), column),
    ArrowRight: () => focusCell(row, Math.min(column + 1, last)),
    ArrowLeft: () => focusCell(row, Math.max(column - 1, 0)),
    PageDown: () => focusCell(nextRow(Math.min(row + page, matrix.rows.length) - 1, 1), column),
    PageUp: () => focusCell(nextRow(Math.max(row - page, 0) + 1, -1), column),
    Home: () => focusCell(event.ctrlKey ? nextRow(-1, 1) : row, 0),
    End: () => focusCell(event.ctrlKey ? nextRow(matrix.rows.length, -1) : row, last),
    Enter: () => openProvenance(namesAt(row, column), true),
    " ": () => openProvenance(namesAt(row, column), true),
  };
  if (!steps[event.key] || (event.ctrlKey && !["Home", "End"].includes(event.key))) return;
  event.preventDefault();
  steps[event.key]();
}

/** The nearest row with a key in a direction, headings left out; the row itself if there is none. */
function nextRow(row, step) {
  for (let next = row + step; matrix.rows[next]; next += step) if (matrix.rows[next].key) return next;
  for (let back = row; matrix.rows[back]; back -= step) if (matrix.rows[back].key) return back;
  return matrix.active.row;
}

function onGridClick(event) {
  const cell = event.target.closest("[role=gridcell]");
  if (!cell) return;
  const { key, at } = cell.dataset;
  const row = matrix.rows.findIndex((one) => one.key === key);
  const column = matrix.columns.findIndex((one) => one.name === at);
  focusCell(row, column);
  openProvenance({ at, key }, isNarrow());
}

let due = false;
grid.addEventListener(
  "scroll",
  () => {
    if (!due) requestAnimationFrame(() => ((due = false), drawGrid()));
    due = true;
  },
  { passive: true },
);
grid.addEventListener("keydown", onGridKey);
grid.addEventListener("click", onGridClick);
new ResizeObserver(() => redrawGrid()).observe(grid);
