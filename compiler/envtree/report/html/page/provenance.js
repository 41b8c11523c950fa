// The provenance of a cell: each layer lowest first, what it did, at which line, and what the winner reads.

const panel = byId("panel");

/** Opens the provenance of a key in a bundle or an environment. */
function openProvenance(names, focus) {
  go(names);
  if (focus) byId("panel-title").focus();
}

/** Closes the provenance; the focus goes back to where it came from. */
function closeProvenance() {
  go({ at: "", key: "" });
  (activeElement() ?? byId("main")).focus({ preventScroll: true });
}

function drawPanel() {
  const row = ROW_OF_KEY.get(state.key);
  const bundle = BUNDLE_OF_ID.get(state.at);
  const inEnvironment = ENVIRONMENTS.includes(state.at);
  const isOpen = row !== undefined && Boolean(bundle || inEnvironment);
  const hadFocus = panel.contains(document.activeElement);
  panel.hidden = !isOpen;
  document.body.classList.toggle("panel-open", isOpen);
  if (!isOpen) return panel.replaceChildren();
  const about = bundle ? bundleProvenance(bundle, row) : environmentValues(state.at, row);
  panel.replaceChildren(
    panelHead(ROWS[row]),
    make("div", { class: "body", tabindex: 0, role: "group", "aria-label": "Provenance" }, ...about),
  );
  if (hadFocus) byId("panel-title").focus();
}

function panelHead(row) {
  const close = make(
    "button",
    { type: "button", class: "shut", "aria-label": "Close", click: closeProvenance },
    icon("close"),
  );
  const title = make("h2", { id: "panel-title", tabindex: -1 }, visible(row.key));
  return make("div", { class: "panel-head" }, title, make("p", {}, state.at), close);
}

function bundleProvenance(bundle, row) {
  const told = provenanceAt(bundle, row);
  const change = TABLES.changes[bundle.changed.get(row)];
  const value = valueAt(bundle, row);
  return [
    change && changeBox(change, row),
    make("div", { class: "final" }, valueBlock(value, row), told?.lock && lockedLine(told.lock)),
    told && make("h3", {}, "Layers, lowest first"),
    told && make("ol", { class: "layer-entries" }, ...layerItems(bundle, told, row)),
    told?.secret && sealedLine(told.secret),
    told?.reads.length > 0 && make("h3", {}, "Reads"),
    told?.reads.length > 0 && readList(bundle, told.reads, new Set([ROWS[row].key])),
    told?.keys.length > 0 && make("h3", {}, "Elements"),
    told?.keys.length > 0 && elementList(told.keys),
    commandLine(bundle, row),
  ].filter(Boolean);
}

/** A layer that has nothing to say is on the provenance, too. */
function layerItems(bundle, told, row) {
  return TABLES.stacks[bundle.stack].map(layerOf).flatMap((layer) => {
    const mine = told.layerEntries.filter((layerEntry) => layerEntry.layer.number === layer.number);
    return mine.length ? mine.map((layerEntry) => layerItem(layerEntry, row)) : [absentItem(layer)];
  });
}

function layerItem(layerEntry, row) {
  const words = [layerEntry.action, RULES[layerEntry.rule]].filter(Boolean).join(", ");
  const other = layerEntry.key !== ROWS[row].key && `in ${visible(layerEntry.key)}`;
  return make(
    "li",
    { class: `layer-entry k-${layerEntry.layer.kind} ${layerEntry.action}` },
    make("p", { class: "layer" }, layerName(layerEntry.layer), make("span", { class: "action" }, words)),
    layerEntry.value !== NONE &&
      make(
        layerEntry.wins ? "strong" : layerEntry.action === "shadowed" ? "s" : "span",
        { class: "wrote" },
        valueNode(layerEntry.value, row),
      ),
    make(
      "p",
      { class: "place" },
      breakable(placeText(layerEntry.layer.path, layerEntry.line, layerEntry.column)),
      other && make("span", {}, other),
    ),
  );
}

function absentItem(layer) {
  const file = layer.path ? visible(layer.path) : "no file";
  const place = make("span", { class: "place", title: file }, make("bdi", {}, file));
  return make("li", { class: `layer-entry k-${layer.kind} absent` }, make("p", { class: "layer" }, layerName(layer), place));
}

/** What a rule means beside what is below it; the rest is what anybody expects. */
const RULES = {
  merge: "merged into the map below",
  append: "appended",
  prepend: "prepended",
  union: "united with the list below",
  unique: "united with the list below, without duplicates",
  by_key: "merged by key",
  $list: "edits the list below",
  $replace: "replaces all below",
};

const layerName = (layer) =>
  make("span", { class: "name" }, make("span", { class: "code" }, KINDS[layer.kind]), ` ${layerWords(layer)}`);

function valueNode(value, row) {
  const { kind } = valueOf(value);
  const text = valueText(value, row, true);
  return make("code", { class: `v-${kind}` }, kind === "secret" && icon("key"), text);
}

const valueBlock = (value, row) => make("p", { class: "block" }, valueNode(value, row));
const lockedLine = (place) => make("p", { class: "locked" }, icon("lock"), ` locked at ${visible(place)}`);

function sealedLine(secret) {
  const where = [visible(secret.key), "at", visible(secret.place), "of", layerWords(secret)].filter(Boolean).join(" ");
  return make("p", { class: "sealed" }, icon("key"), ` ${where}`);
}

/** What is read, and below it what that reads in turn, each once. */
function readList(bundle, keys, seen) {
  return make("ul", { class: "reads" }, ...keys.map((key) => readItem(bundle, key, seen)));
}

function readItem(bundle, key, seen) {
  const row = ROW_OF_KEY.get(key);
  const inside = row !== undefined && valueAt(bundle, row) !== NONE;
  const told = inside ? readCell(bundle, row) : factsOf(bundle).get(key);
  const follow = () => go({ at: bundle.id, key });
  const name = inside
    ? make("button", { type: "button", class: "link", click: follow }, visible(key))
    : make("span", { class: "key" }, visible(key));
  const deeper = told?.reads.length > 0 && !seen.has(key) && readList(bundle, told.reads, new Set(seen).add(key));
  const where = told?.place ? [breakable(told.place), ` ${layerWords(told)}`] : [];
  return make(
    "li",
    {},
    name,
    " = ",
    valueNode(told?.value ?? NONE, row ?? NONE),
    make("p", { class: "place" }, ...where),
    deeper,
  );
}

function readCell(bundle, row) {
  const told = provenanceAt(bundle, row);
  const { layer, line, column } = told?.winner ?? {};
  const place = layer ? placeText(layer.path, line, column) : "";
  return { value: valueAt(bundle, row), place, kind: layer?.kind, scope: layer?.scope ?? "", reads: told?.reads ?? [] };
}

function elementList(lines) {
  const item = (line) =>
    make(
      "li",
      {},
      make("code", {}, valueText(line.value, NONE, true)),
      make("p", { class: "place" }, breakable(line.place), ` ${layerWords(line)}`),
    );
  return make("ol", { class: "elements", start: 0 }, ...lines.map(item));
}

function changeBox(change, row) {
  const old = change.old !== NONE && make("p", { class: "old" }, make("span", {}, "was "), valueNode(change.old, row));
  const word = change.reencrypted ? "re-encrypted; its value may be the same" : change.kind;
  const causes = change.causes.map((cause) =>
    make("li", {}, `${cause.action} ${visible(placeText(cause.path, cause.line))}`),
  );
  const list = causes.length > 0 && make("ul", { class: "causes" }, ...causes);
  return make(
    "div",
    { class: `became ${change.kind}` },
    make("p", {}, `${word} since ${visible(DIFFERENCE.base)}`),
    old,
    list,
  );
}

/** The values of a key in an environment, each with its bundles. */
function environmentValues(environment, row) {
  const column = matrix.columns.find((one) => one.name === environment && !one.bundle);
  const bundles = column?.bundles ?? BUNDLES.filter((bundle) => bundle.environment === environment && isShown(bundle));
  const sorted = [...byValue(bundles, row)].sort(
    ([a, one], [b, other]) => (a === NONE) - (b === NONE) || other.length - one.length,
  );
  return sorted.map(([value, members]) => valueGroup(value, members, row));
}

const MOST = 60;

function valueGroup(value, bundles, row) {
  const link = (bundle) =>
    make(
      "li",
      {},
      make(
        "button",
        { type: "button", class: "link", click: () => openProvenance({ at: bundle.id, key: ROWS[row].key }, true) },
        bundle.path,
      ),
    );
  const plain = (bundle) => make("li", {}, bundle.path);
  const rest = bundles.length > MOST && make("li", {}, `and ${bundles.length - MOST} more`);
  const list = make("ul", { class: "members" }, ...bundles.slice(0, MOST).map(value === NONE ? plain : link), rest);
  return make(
    "div",
    { class: "group" },
    valueBlock(value, row),
    make("h3", {}, plural(bundles.length, "bundle")),
    list,
  );
}

/** The same on the command line, where neither word needs quotes. */
function commandLine(bundle, row) {
  const words = [bundle.id, ROWS[row].key.replace(/^env_vars\./, "")];
  if (!words.every((word) => /^[\w./@-]+$/.test(word)) || valueAt(bundle, row) === NONE) return null;
  return make("p", { class: "command" }, make("code", {}, `envtree explain ${words.join(" ")}`));
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && state.key && event.target.type !== "search") closeProvenance();
});
