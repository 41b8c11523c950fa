// The data of the page, and what its numbers mean; html/tables.py writes them.

const DATA = JSON.parse(byId("data").textContent);
const TABLES = DATA.tables;
const TREE = DATA.tree;
const BUNDLES = DATA.bundles;
const FINDINGS = DATA.findings;
const DIFFERENCE = DATA.difference;
const NONE = -1;

/** The kinds of layers, lowest first, with what stands for each in a cell. */
const KINDS = {
  organization: "O",
  mixin: "M",
  "mixin-environment": "ME",
  project: "P",
  environment: "E",
  "project-environment": "PE",
  team: "T",
  "team-environment": "TE",
  agent: "A",
  "agent-environment": "AE",
};
const SECTIONS = [
  ["General", ["organization", "model_id", "working_dir", "integration_ids"]],
  ["Variables", ["env_vars"]],
  ["Injected secrets", ["secrets"]],
  ["Config", ["config"]],
  ["Endpoints", ["endpoints"]],
  ["Feature flags", ["feature_flags"]],
  ["MCP servers", ["mcp_servers"]],
];

const textOf = (number) => (number === NONE ? "" : TABLES.texts[number]);

/** A value: `kind` is text, json, secret, unknown or none. */
function valueOf(number) {
  const entry = number === NONE ? null : TABLES.values[number];
  if (entry === null) return { kind: "none", text: "" };
  if (typeof entry === "string") return { kind: "text", text: entry };
  if (Array.isArray(entry)) return { kind: "json", text: entry[0] };
  return { kind: entry === 1 ? "secret" : "unknown", text: "" };
}

/**
 * The value of a row in words. A text that could be taken for another type, or for nothing, has its quotes; a variable
 * is text whatever it looks like.
 */
function valueText(number, row, lines = false) {
  const { kind, text } = valueOf(number);
  const section = row === NONE ? "" : ROWS[row].section;
  if (kind === "secret" || kind === "unknown") return kind;
  if (kind === "none") return "not set";
  if (kind === "text" && (text === "" || (section !== "env_vars" && isJson(text)))) return JSON.stringify(text);
  if (kind === "json" && section === "secrets") return visible(entryText(JSON.parse(text)));
  return visible(text, lines);
}

const entryText = ({ path, source }) => `${path} in ${source}`;

function isJson(text) {
  if (!/^(?:[-\d"{[]|true$|false$|null$)/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The rows of the matrix, section by section: `label` is the key inside the section. */
const ROWS = TABLES.rows.map(([section, key], number) => {
  const label = key.startsWith(`${section}.`) ? key.slice(section.length + 1) : key;
  return { number, section, key, label };
});
const ROW_OF_KEY = new Map(ROWS.map((row) => [row.key, row.number]));
const GROUPS = SECTIONS.map(([title, sections]) => ({
  title,
  rows: ROWS.filter((row) => sections.includes(row.section)).sort((a, b) => order(sections, a, b)),
}));

function order(sections, a, b) {
  return sections.indexOf(a.section) - sections.indexOf(b.section) || (a.key < b.key ? -1 : 1);
}

BUNDLES.forEach((bundle, number) => {
  bundle.number = number;
  bundle.path = [bundle.project, bundle.team, bundle.agent].filter(Boolean).join("/");
  bundle.computed = bundle.shape !== undefined;
  bundle.changed = new Map(bundle.changes ?? []);
});
const BUNDLE_OF_ID = new Map(BUNDLES.map((bundle) => [bundle.id, bundle]));
const ADDED = new Set(DIFFERENCE?.added);

/** The cells of a bundle by row, -1 where it has none. */
function cellsOf(bundle) {
  if (!bundle.byRow) {
    bundle.byRow = new Int32Array(ROWS.length).fill(NONE);
    if (bundle.computed) TABLES.shapes[bundle.shape].forEach((row, n) => (bundle.byRow[row] = bundle.cells[n]));
  }
  return bundle.byRow;
}

/** The number of the value of a cell; two cells have the same value if these are equal, hidden ones too. */
function valueAt(bundle, row) {
  const cell = cellsOf(bundle)[row];
  return cell === NONE ? NONE : TABLES.cells[cell][0];
}

/** Bundles by their value in a row. */
function byValue(bundles, row) {
  const found = new Map();
  for (const bundle of bundles) {
    const value = valueAt(bundle, row);
    if (!found.has(value)) found.set(value, []);
    found.get(value).push(bundle);
  }
  return found;
}

/** What layers did to a key, lowest first, with what its winner reads. */
function provenanceAt(bundle, row) {
  const cell = cellsOf(bundle)[row];
  return cell === NONE ? null : provenanceOf(TABLES.cells[cell][1]);
}

const PROVENANCES = [];
function provenanceOf(number) {
  if (number === NONE) return null;
  if (!PROVENANCES[number]) {
    const [layerEntries, path, line, column, expression, reads, secret, keys] = TABLES.provenances[number];
    const told = layerEntries.map(layerEntryOf);
    const winner = told.find((layerEntry) => layerEntry.wins) ?? null;
    const lock = placeText(textOf(path), line, column);
    PROVENANCES[number] = { layerEntries: told, winner, lock, expression: textOf(expression), reads: reads.map(textOf) };
    Object.assign(PROVENANCES[number], { secret: secret === NONE ? null : lineOf(secret), keys: keys.map(lineOf) });
  }
  return PROVENANCES[number];
}

function layerOf(number) {
  const [kind, scope, path, sealed] = TABLES.layers[number];
  return { number, kind, scope: textOf(scope), path: textOf(path), sealed: textOf(sealed) };
}

function layerEntryOf(number) {
  const [layer, key, line, column, action, rule, type, value] = TABLES.layer_entries[number];
  const wins = action === "set" || action === "locked";
  return { layer: layerOf(layer), key: textOf(key), line, column, action, rule, type, value, wins };
}

function lineOf(number) {
  const [key, value, kind, scope, path, line, column, expression, reads] = TABLES.lines[number];
  const place = placeText(textOf(path), line, column);
  const told = { key: textOf(key), value, kind, scope: textOf(scope), place };
  return { ...told, expression: textOf(expression), reads: reads.map(textOf) };
}

/** What a bundle reads beside its cells, by key. */
function factsOf(bundle) {
  bundle.byFact ??= new Map((bundle.facts ?? []).map(lineOf).map((line) => [line.key, line]));
  return bundle.byFact;
}

/** The bundles that a finding is about: those that show it, or those that read its file. */
function bundlesOfFinding(finding) {
  const shown = TABLES.groups[finding.bundles];
  if (shown.length) return shown.map((id) => BUNDLE_OF_ID.get(id)).filter(Boolean);
  return BUNDLES_OF_PATH.get(finding.path) ?? [];
}

const BUNDLES_OF_PATH = new Map();
for (const bundle of BUNDLES) {
  const layers = TABLES.stacks[bundle.stack].map(layerOf);
  for (const path of new Set(layers.flatMap((layer) => [layer.path, layer.sealed]))) {
    if (!BUNDLES_OF_PATH.has(path)) BUNDLES_OF_PATH.set(path, []);
    BUNDLES_OF_PATH.get(path).push(bundle);
  }
}
BUNDLES_OF_PATH.delete("");
FINDINGS.forEach((finding) => (finding.about = bundlesOfFinding(finding)));

const PLACES = new Map((TREE?.environments ?? []).map((one, n) => [one.name, n]));
const ENVIRONMENTS = [...new Set(BUNDLES.map((bundle) => bundle.environment))].sort(
  (a, b) => (PLACES.get(a) ?? 1e6) - (PLACES.get(b) ?? 1e6) || (a < b ? -1 : 1),
);
