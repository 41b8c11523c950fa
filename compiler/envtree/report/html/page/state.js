// What is being looked at. It stands behind the `#` of the address, so that a view can be linked.

const DEFAULTS = {
  view: "matrix", // or findings, or difference
  node: "", // project, project/team or project/team/agent
  environment: "",
  text: "",
  columns: "", // or environments
  one: "", // A and B of "differences between"
  other: "",
  differ: "", // or 1
  changes: "", // or 1
  words: "", // what to find among the findings
  severity: "", // the severities that are left out
  at: "", // the bundle or environment whose provenance is open
  key: "",
  theme: "", // light or dark, else what the system says
};

/** What an address may say where there is a choice. */
const CHOICES = { view: ["matrix", "findings", ...(DIFFERENCE ? ["difference"] : [])], columns: ["", "environments"], theme: ["", "light", "dark"] };

function fromHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  const isFit = ([name, value]) => Object.hasOwn(DEFAULTS, name) && (CHOICES[name]?.includes(value) ?? true);
  return Object.fromEntries([...given].filter(isFit));
}

const state = { ...DEFAULTS, ...fromHash() };
const watchers = [];

/** Calls back with the names of what has changed. */
const watch = (callback) => watchers.push(callback);

/** Changes what is looked at, and the address with it. */
function go(changes) {
  const changed = Object.keys(changes).filter((name) => state[name] !== changes[name]);
  if (!changed.length) return;
  Object.assign(state, changes);
  const told = Object.entries(state).filter(([name, value]) => value !== DEFAULTS[name]);
  history.replaceState(null, "", `#${new URLSearchParams(told)}`);
  watchers.forEach((callback) => callback(new Set(changed)));
}

window.addEventListener("hashchange", () => go({ ...DEFAULTS, ...fromHash() }));
