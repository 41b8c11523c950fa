// The findings of the run: what is wrong or worth a look, where, and what to do.

const SEVERITIES = ["error", "warning", "info"];
const PAGE = 200;
let limit = PAGE;

const leftOut = () => new Set(state.severity.split(",").filter(Boolean));

/** The findings of the part of the tree that is looked at. */
function findingsInSight() {
  const wanted = state.words.toLowerCase();
  const inside = (bundle) =>
    isUnder(bundle, state.node) && (!state.environment || bundle.environment === state.environment);
  const everywhere = !state.node && !state.environment;
  const isOfFile = (path) => !state.environment && placesOf(path).includes(state.node);
  return FINDINGS.filter((finding) => {
    const words = [finding.code, finding.path, finding.message, finding.hint, finding.key].join("\n").toLowerCase();
    return words.includes(wanted) && (everywhere || finding.about.some(inside) || isOfFile(finding.path));
  });
}

function drawFindings() {
  const left = leftOut();
  const found = findingsInSight();
  const shown = found.filter((finding) => !left.has(finding.severity));
  byId("count").textContent = String(FINDINGS.length);
  byId("count").className = FINDINGS.length ? FINDINGS.map((one) => one.severity).sort(bySeverity)[0] : "";
  byId("severities").replaceChildren(...SEVERITIES.map((severity) => severityButton(severity, found, left)));
  byId("told").textContent = findingsWords(found, shown);
  byId("list").replaceChildren(...shown.slice(0, limit).map(findingItem));
  byId("more").hidden = shown.length <= limit;
  byId("more").textContent = `Show ${Math.min(PAGE, shown.length - limit)} more`;
}

const bySeverity = (a, b) => SEVERITIES.indexOf(a) - SEVERITIES.indexOf(b);

function findingsWords(found, shown) {
  if (!FINDINGS.length) return "Nothing is wrong with this tree.";
  const place = [state.node, state.environment]
    .filter(Boolean)
    .map((name) => visible(name))
    .join(" in ");
  return `${plural(shown.length, "finding")}${found.length < FINDINGS.length ? ` of ${FINDINGS.length}` : ""}${place ? ` in ${place}` : ""}`;
}

function severityButton(severity, found, left) {
  const count = found.filter((finding) => finding.severity === severity).length;
  const shown = !left.has(severity);
  const toggle = () => {
    shown ? left.add(severity) : left.delete(severity);
    go({ severity: [...left].join(",") });
    byId(`severity-${severity}`).focus();
  };
  const attributes = {
    type: "button",
    id: `severity-${severity}`,
    class: `toggle ${severity}`,
    "aria-pressed": String(shown),
    click: toggle,
  };
  return make("button", attributes, plural(count, severity));
}

function findingItem(finding) {
  return make(
    "li",
    { class: finding.severity },
    make(
      "p",
      { class: "head" },
      make("b", {}, `${finding.severity} ${finding.code}`),
      finding.new && make("mark", {}, "new"),
      make("code", {}, visible(placeText(finding.path, finding.line, finding.column))),
    ),
    make("p", { class: "message" }, visible(finding.message)),
    finding.hint && make("p", { class: "hint" }, `hint: ${visible(finding.hint)}`),
    ...finding.related.map((one) =>
      make(
        "p",
        { class: "related" },
        make("code", {}, visible(placeText(one.path, one.line, one.column))),
        ` ${visible(one.message)}`,
      ),
    ),
    shownIn(finding),
  );
}

/** The bundles that show a finding, and a way to the cell if it is about one. */
function shownIn(finding) {
  const ids = TABLES.groups[finding.bundles];
  if (!ids.length) return null;
  const more = ids.length > 1 ? `in ${ids.length} bundles, the first ` : "in ";
  const row = ROW_OF_KEY.get(finding.key);
  const bundle = BUNDLE_OF_ID.get(ids[0]);
  if (row === undefined || !bundle?.computed) return make("p", { class: "bundles" }, more, ids[0]);
  const open = () => (go({ view: "matrix" }), openProvenance({ at: ids[0], key: finding.key }, true));
  return make("p", { class: "bundles" }, more, make("button", { type: "button", class: "link", click: open }, ids[0]));
}

byId("more").addEventListener("click", () => {
  const next = limit;
  limit += PAGE;
  drawFindings();
  const first = byId("list").children[next];
  first.tabIndex = -1;
  first.focus();
});
