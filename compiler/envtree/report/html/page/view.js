// Which columns and rows the filters leave.

/** The columns: a bundle each, or the bundles of an environment together. */
function columnsOf() {
  const pairs = comparison();
  const bundles = pairs ? pairs.flat() : BUNDLES.filter(isShown);
  if (state.columns !== "environments") return sorted(bundles, pairs).map(bundleColumn);
  const names = pairs ? [...new Set(bundles.map((bundle) => bundle.environment))] : ENVIRONMENTS;
  return names
    .map((name) => ({ name, bundles: bundles.filter((bundle) => bundle.environment === name) }))
    .filter((column) => column.bundles.length);
}

function bundleColumn(bundle) {
  return { name: bundle.id, bundle, bundles: [bundle] };
}

/** The environments of an agent stand side by side. */
function sorted(bundles, pairs) {
  if (pairs) return bundles;
  const place = new Map(ENVIRONMENTS.map((name, n) => [name, n]));
  const key = (bundle) => `${bundle.path}\0${String(place.get(bundle.environment)).padStart(5, "0")}`;
  const keyed = bundles.map((bundle) => [key(bundle), bundle]);
  return keyed.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, bundle]) => bundle);
}

const isUnder = (bundle, node) => !node || bundle.path === node || bundle.path.startsWith(`${node}/`);

function isShown(bundle) {
  if (!bundle.computed || !isUnder(bundle, state.node)) return false;
  if (state.environment && bundle.environment !== state.environment) return false;
  return !state.changes || bundle.changed.size > 0 || ADDED.has(bundle.id);
}

/** The bundles to compare, two and two; null where A and B name no two bundles and no two environments. */
function comparison() {
  const one = BUNDLE_OF_ID.get(state.one);
  const other = BUNDLE_OF_ID.get(state.other);
  if (one?.computed && other?.computed) return one === other ? null : [[one, other]];
  if (state.one === state.other || ![state.one, state.other].every((name) => ENVIRONMENTS.includes(name))) return null;
  const twins = new Map();
  for (const bundle of BUNDLES) {
    if (bundle.computed && bundle.environment === state.other) twins.set(bundle.path, bundle);
  }
  const mine = BUNDLES.filter((bundle) => bundle.environment === state.one && bundle.computed);
  const pairs = mine.filter((bundle) => isUnder(bundle, state.node)).map((bundle) => [bundle, twins.get(bundle.path)]);
  return pairs.filter(([, twin]) => twin);
}

/** What of A and B is wrong, in words; empty if they can be compared. */
function comparisonFault() {
  if (!state.one && !state.other) return "";
  const known = (name) => !name || BUNDLE_OF_ID.has(name) || ENVIRONMENTS.includes(name);
  const unknown = [state.one, state.other].find((name) => !known(name));
  if (unknown) return `There is no bundle and no environment ‘${visible(unknown)}’.`;
  const broken = [state.one, state.other].find((name) => BUNDLE_OF_ID.get(name)?.computed === false);
  if (broken) return `‘${visible(broken)}’ could not be computed.`;
  if (!state.one || !state.other) return "Name a second one to compare with.";
  return comparison() ? "" : "Name two bundles, or two environments.";
}

/** The rows, with a heading over those of each section. */
function rowsOf(columns) {
  const keeps = [hasCells(columns), ...filters(columns)];
  const found = [];
  for (const group of GROUPS) {
    const rows = group.rows.filter((row) => keeps.every((keep) => keep(row)));
    if (rows.length) found.push({ title: group.title, count: rows.length }, ...rows);
  }
  return found;
}

function filters(columns) {
  const pairs = comparison();
  const found = [];
  if (pairs) found.push((row) => pairs.some(([one, other]) => isDifferent(one, other, row.number)));
  if (state.differ) found.push((row) => isUneven(columns, row.number));
  if (state.changes) found.push((row) => columns.some((column) => isChanged(column, row.number)));
  if (state.text) found.push(search(columns));
  return found;
}

function hasCells(columns) {
  const changed = (bundle, row) => bundle.changed.has(row);
  const has = (bundle, row) => cellsOf(bundle)[row] !== NONE || changed(bundle, row);
  return (row) => columns.some((column) => column.bundles.some((bundle) => has(bundle, row.number)));
}

const isDifferent = (one, other, row) => valueAt(one, row) !== valueAt(other, row);
const isChanged = (column, row) => column.bundles.some((bundle) => bundle.changed.has(row));

function isUneven(columns, row) {
  const first = columns[0] && valueAt(columns[0].bundles[0], row);
  return columns.some((column) => column.bundles.some((bundle) => valueAt(bundle, row) !== first));
}

/** Whether the key, or a value that is shown, has the text in it. */
function search(columns) {
  const wanted = state.text.toLowerCase();
  const has = (text) => text.toLowerCase().includes(wanted);
  const values = TABLES.values.map((_, number) => has(valueOf(number).text));
  const inCell = (bundle, row) => values[valueAt(bundle, row)] === true;
  return (row) => has(row.key) || columns.some((column) => column.bundles.some((one) => inCell(one, row.number)));
}

/** The twin of each bundle in a comparison. */
function twinsOf() {
  return new Map(
    (comparison() ?? []).flatMap(([one, other]) => [
      [one, other],
      [other, one],
    ]),
  );
}
