// The filters above the matrix, the tabs and the theme; each stands for a word of the state.

const FIELDS = ["text", "environment", "columns", "one", "other", "words"];
const BOXES = ["differ", "changes"];
const VIEWS = ["matrix", "findings", ...(DIFFERENCE ? ["difference"] : [])];
const THEMES = { "": "system", light: "light", dark: "dark" };

function setUpControls() {
  const option = (value, text = value) => make("option", { value }, visible(text));
  const projects = [...new Set(BUNDLES.map((bundle) => bundle.project))];
  byId("project").append(option("", "all"), ...projects.map((name) => option(name)));
  byId("environment").append(option("", "all"), ...ENVIRONMENTS.map((name) => option(name)));
  byId("names").append(...[...ENVIRONMENTS, ...BUNDLES.map((bundle) => bundle.id)].map((name) => option(name)));
  byId("changes-label").hidden = !DIFFERENCE;
  for (const id of FIELDS) byId(id).addEventListener("input", (event) => go({ [id]: event.target.value }));
  for (const id of BOXES) byId(id).addEventListener("change", (event) => go({ [id]: event.target.checked ? "1" : "" }));
  byId("project").addEventListener("input", (event) => go({ node: event.target.value }));
  byId("clear").addEventListener("click", clearFilters);
  byId("unfold").addEventListener("click", () => unfold(byId("unfold").getAttribute("aria-expanded") !== "true"));
  for (const form of document.forms) form.addEventListener("submit", (event) => event.preventDefault());
  byId("theme").addEventListener("click", nextTheme);
  byId("skip").addEventListener(
    "click",
    (event) => (event.preventDefault(), (activeElement() ?? byId("main")).focus()),
  );
  setUpTabs();
}

/** On a narrow screen most filters are folded away. */
function unfold(open) {
  byId("unfold").setAttribute("aria-expanded", String(open));
  byId("filters").classList.toggle("unfolded", open);
}

function setUpTabs() {
  for (const view of VIEWS) byId(`tab-${view}`).addEventListener("click", () => go({ view }));
  byId("tabs").addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const step = event.key === "ArrowLeft" ? VIEWS.length - 1 : 1;
    const view = VIEWS[(VIEWS.indexOf(state.view) + step) % VIEWS.length];
    go({ view });
    byId(`tab-${view}`).focus();
  });
}

function clearFilters() {
  const names = ["node", "environment", "text", "columns", "one", "other", "differ", "changes"];
  go(Object.fromEntries(names.map((name) => [name, ""])));
}

function nextTheme() {
  const names = Object.keys(THEMES);
  go({ theme: names[(names.indexOf(state.theme) + 1) % names.length] });
}

/** Shows the state in the controls; a field that somebody types in is left alone. */
function drawControls() {
  for (const id of FIELDS) if (byId(id).value !== state[id]) byId(id).value = state[id];
  for (const id of BOXES) byId(id).checked = state[id] === "1";
  byId("project").value = state.node.split("/")[0];
  for (const view of VIEWS) {
    byId(view).hidden = state.view !== view;
    byId(`tab-${view}`).setAttribute("aria-selected", String(state.view === view));
    byId(`tab-${view}`).hidden = false;
    byId(`tab-${view}`).tabIndex = state.view === view ? 0 : -1;
  }
  const fault = comparisonFault();
  for (const id of ["one", "other"]) byId(id).setAttribute("aria-invalid", String(Boolean(fault && state[id])));
  const folded = ["node", "environment", "columns", "one", "other", "differ", "changes"].filter((name) => state[name]);
  byId("unfold").textContent = folded.length ? `Filters (${folded.length})` : "More filters";
  document.documentElement.dataset.theme = THEMES[state.theme] ?? "system";
  byId("theme").replaceChildren(icon("half"), make("span", {}, `Theme: ${THEMES[state.theme] ?? "system"}`));
}

function drawStatus(columns, rows) {
  const keys = rows.filter((row) => row.key).length;
  const what = state.columns === "environments" ? "environment" : "bundle";
  const place = state.node ? ` in ${visible(state.node)}` : "";
  byId("status").textContent = comparisonFault() || `${plural(keys, "key")} × ${plural(columns.length, what)}${place}`;
  const empty = !keys || !columns.length;
  byId("grid").hidden = empty;
  byId("nothing").hidden = !empty;
  byId("nothing").textContent = emptyWords();
}

function emptyWords() {
  if (!BUNDLES.length) return "There are no bundles: the findings say why.";
  if (!BUNDLES.some((bundle) => bundle.computed)) return "No bundle could be computed: the findings say why.";
  if (comparison()) return "There is no difference.";
  if (state.changes && !BUNDLES.some((bundle) => bundle.changed.size)) return "No bundle has changed.";
  return "Nothing matches these filters.";
}
