// One cell of the matrix: a value, the layer that set it, whether it is locked, and what became of it.

function gridCell(row, column) {
  const cell = column.bundle ? bundleCell(row, column.bundle) : environmentCell(row, column);
  Object.assign(cell.dataset, { key: row.key, at: column.name });
  return cell;
}

function bundleCell(row, bundle) {
  const change = TABLES.changes[bundle.changed.get(row.number)];
  const value = valueAt(bundle, row.number);
  const told = provenanceAt(bundle, row.number);
  const layer = told?.winner?.layer;
  const twin = matrix.twins.get(bundle);
  const classes = [
    value === NONE ? "missing" : `k-${layer?.kind ?? "none"}`,
    change && `change ${change.kind}`,
    twin && isDifferent(bundle, twin, row.number) && "differs",
    state.at === bundle.id && state.key === row.key && "open",
  ];
  const shown = change ? changeParts(change, row.number) : valueParts(value, row.number);
  const signs = [told?.lock && icon("lock"), isSecret(value) && icon("key")];
  const words = [layer && `set by ${layerWords(layer)}`, told?.lock && "locked"];
  return cellElement(classes, shown, signs, KINDS[layer?.kind], words);
}

/** The bundles of an environment together: their value if they have one, else how many there are. */
function environmentCell(row, { name, bundles }) {
  const cells = byValue(bundles, row.number);
  const values = [...cells.keys()].filter((value) => value !== NONE);
  const told = values.flatMap((value) => cells.get(value).map((bundle) => provenanceAt(bundle, row.number)));
  const kinds = [...new Set(told.map((one) => one?.winner?.layer.kind ?? ""))];
  const kind = kinds.length === 1 ? kinds[0] : "";
  const without = cells.get(NONE)?.length ?? 0;
  const changed = bundles.some((bundle) => bundle.changed.has(row.number));
  const classes = [
    values.length ? `k-${kind || "mixed"}` : "missing",
    changed && "change changed",
    state.at === name && state.key === row.key && "open",
    matrix.twins.size && isApart(row, bundles) && "differs",
  ];
  const several = make("span", { class: "several" }, `${values.length} values`);
  const shown = values.length > 1 ? [several] : valueParts(values[0] ?? NONE, row.number);
  if (without && values.length) shown.push(make("small", {}, `${without} without`));
  const lock = told.length > 0 && told.every((one) => one?.lock);
  const code = KINDS[kind] ?? (kinds.length > 1 ? "…" : "");
  return cellElement(classes, shown, [lock && icon("lock")], code, [kind && `set by ${kind}`, lock && "locked"]);
}

const isApart = (row, bundles) =>
  bundles.some((one) => matrix.twins.has(one) && isDifferent(one, matrix.twins.get(one), row.number));

/** What colour and pictures say is there in words, too, for whoever does not see them. */
function cellElement(classes, shown, signs, code, words) {
  const said = words.filter(Boolean).join(", ");
  return make(
    "div",
    { role: "gridcell", class: ["cell", ...classes].filter(Boolean).join(" ") },
    make("span", { class: "value" }, ...shown),
    ...signs,
    code && make("span", { class: "code", "aria-hidden": true }, code),
    said && make("span", { class: "heard" }, `, ${said}`),
  );
}

function valueParts(value, row) {
  if (value === NONE) return [make("span", { class: "heard" }, "not set")];
  const { kind } = valueOf(value);
  const text = valueText(value, row);
  return [make("span", { class: `v-${kind}`, title: text.length > 16 ? text : null }, text)];
}

function changeParts(change, row) {
  const part = (tag, word, value) =>
    value !== NONE && make(tag, {}, make("span", { class: "heard" }, word), ...valueParts(value, row));
  const again = change.reencrypted && make("small", {}, "re-encrypted");
  return [part("del", "was ", change.reencrypted ? NONE : change.old), part("ins", " now ", change.new), again].filter(
    Boolean,
  );
}

const layerWords = ({ kind, scope }) => [kind, visible(scope)].filter(Boolean).join(" ");
