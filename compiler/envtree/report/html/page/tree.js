// The tree of the organization: what there is, how much of it, and a filter for the matrix.

const treeList = byId("tree");
const nodes = [];
const expanded = new Set();
let treeFocus = null;

/** A line of the tree; `filter` is what choosing it looks at. */
function node(label, kind, parent, filter, note = "") {
  const made = { label, kind, parent, filter, note, children: [], bundles: [], level: parent ? parent.level + 1 : 1 };
  parent?.children.push(made);
  nodes.push(made);
  return made;
}

function plantTree() {
  if (!TREE) return;
  const root = node(TREE.name || "(no name)", "organization", null, { node: "", environment: "" });
  const kinds = node("environments", "folder", root, null);
  const environments = [TREE, ...TREE.projects].flatMap((one) => one.environments);
  for (const { name, note } of environments) node(name, "environment", kinds, { environment: name }, note);
  for (const project of TREE.projects) plantProject(project, root);
  const used = new Set(BUNDLES.flatMap((bundle) => nodesOf(bundle)));
  for (const one of nodes) one.children = one.children.filter((child) => keepsNode(child, used));
  count();
  expand(root);
}

function plantProject(project, root) {
  const home = node(project.name, "project", root, { node: project.name }, project.key);
  for (const agent of project.agents) plantAgent(agent, home, project.name);
  for (const team of project.teams) {
    const path = `${project.name}/${team.name}`;
    const group = node(team.name, "team", home, { node: path });
    for (const agent of team.agents) plantAgent(agent, group, path);
  }
}

const plantAgent = (agent, parent, path) => node(agent, "agent", parent, { node: `${path}/${agent}` });

/** Where only some bundles were asked for, the rest of the tree is no part of the page. */
function keepsNode(one, used) {
  return BUNDLES.length === DATA.all || one.kind === "folder" || used.has(one);
}

function nodesOf(bundle) {
  const steps = bundle.path.split("/").map((_, n, all) => all.slice(0, n + 1).join("/"));
  return nodesAt(["@", ...steps.map((step) => `@${step}`), `${bundle.environment}@`]);
}

function nodesAt(addresses) {
  nodesAt.known ??= new Map(nodes.filter((one) => one.filter).map((one) => [addressOf(one.filter), one]));
  return addresses.map((address) => nodesAt.known.get(address)).filter(Boolean);
}

/** The parts of the tree that a file lies in: what is wrong with it may be why they have no bundles. */
function placesOf(path) {
  const [, project, team, agent] = /^(?:projects\/([^/]+)\/)?(?:teams\/([^/]+)\/)?(?:agents\/([^./]+))?/.exec(path);
  const home = project ?? (team || agent ? "default" : "");
  return [home, team, agent].filter(Boolean).map((_, n, all) => all.slice(0, n + 1).join("/"));
}

const addressOf = ({ node: path = "", environment = "" }) => `${environment}@${path}`;

/** Bundles, keys, secrets and findings of every line. */
function count() {
  for (const one of nodes) Object.assign(one, { keys: new Set(), secrets: new Set(), findings: 0, worst: "" });
  const shapes = TABLES.shapes;
  for (const bundle of BUNDLES) {
    const secrets = bundle.computed ? shapes[bundle.shape].filter((row) => isSecret(valueAt(bundle, row))) : [];
    for (const one of nodesOf(bundle)) {
      one.bundles.push(bundle);
      if (bundle.computed) shapes[bundle.shape].forEach((row) => one.keys.add(row));
      secrets.forEach((row) => one.secrets.add(row));
    }
  }
  for (const finding of FINDINGS) {
    const home = nodesAt(placesOf(finding.path).map((place) => `@${place}`));
    const concerned = new Set([nodes[0], ...home, ...finding.about.flatMap(nodesOf)]);
    concerned.forEach((one) => note(one, finding.severity));
  }
}

const isSecret = (value) => valueOf(value).kind === "secret";

function note(one, severity) {
  one.findings += 1;
  if (!one.worst || SEVERITIES.indexOf(severity) < SEVERITIES.indexOf(one.worst)) one.worst = severity;
}

/** Open what fits on a screen: projects, and their teams if there are few. */
function expand(root) {
  expanded.add(root);
  const projects = root.children.filter((one) => one.kind === "project");
  if (nodes.length <= 60) nodes.forEach((one) => one.kind !== "folder" && expanded.add(one));
  else if (projects.length <= 3) projects.forEach((one) => expanded.add(one));
}

const isChosen = (one) => one.filter && Object.entries(one.filter).every(([name, value]) => state[name] === value);
const isOpen = (one) => expanded.has(one) && one.children.length > 0;
const withChildren = (one) => [one, ...(isOpen(one) ? one.children.flatMap(withChildren) : [])];

function drawTree() {
  byId("side").hidden = !nodes.length;
  if (!nodes.length) return;
  const hadFocus = treeList.contains(document.activeElement);
  const lines = withChildren(nodes[0]);
  if (!lines.includes(treeFocus)) treeFocus = lines.find(isChosen) ?? nodes[0];
  treeList.replaceChildren(...lines.map(treeItem));
  if (hadFocus) treeFocus.element.focus();
}

function treeItem(one) {
  const open = one.children.length ? String(isOpen(one)) : null;
  one.element = make(
    "li",
    {
      role: "treeitem",
      class: `node level-${one.level} ${one.kind}`,
      tabindex: one === treeFocus ? 0 : -1,
      "data-path": one.filter && (one.filter.node || one.filter.environment),
      "aria-level": one.level,
      "aria-expanded": open,
      "aria-selected": String(Boolean(isChosen(one))),
      click: (event) => chooseNode(one, event.target.classList.contains("twist")),
    },
    make("span", { class: "twist", "aria-hidden": true }, open === null ? "" : open === "true" ? "▾" : "▸"),
    make("span", { class: "label" }, visible(one.label), one.note && make("small", {}, visible(one.note))),
    ...(one.kind === "folder" ? [] : nodeCounts(one)),
  );
  return one.element;
}

/** The heads of the columns say what the numbers count; whoever does not see them hears it with each. */
function nodeCounts(one) {
  const counts = { bundle: one.bundles.length, key: one.keys.size, secret: one.secrets.size, finding: one.findings };
  return Object.entries(counts).map(([noun, count]) => {
    const classes = ["number", count === 0 && "zero", noun === "finding" && one.worst].filter(Boolean).join(" ");
    const said = make("span", { class: "heard" }, count ? plural(count, noun).replace(/^\S+/, "") : `no ${noun}s`);
    return make("span", { class: classes }, " ", count ? count.toLocaleString("en") : "", said, " ");
  });
}

/** Look at a part of the tree; choosing it again looks at all. */
function chooseNode(one, onlyTwist = false) {
  treeFocus = one;
  if (onlyTwist || !one.filter) {
    expanded.has(one) ? expanded.delete(one) : expanded.add(one);
    return drawTree();
  }
  const cleared = Object.fromEntries(Object.keys(one.filter).map((name) => [name, ""]));
  go(isChosen(one) ? cleared : one.filter);
  drawTree();
}

function onTreeKey(event) {
  const lines = withChildren(nodes[0]);
  const at = lines.indexOf(treeFocus);
  const steps = {
    ArrowDown: () => lines[at + 1],
    ArrowUp: () => lines[at - 1],
    Home: () => lines[0],
    End: () => lines.at(-1),
    ArrowRight: () => (isOpen(treeFocus) ? treeFocus.children[0] : expanded.add(treeFocus) && treeFocus),
    ArrowLeft: () => (isOpen(treeFocus) ? expanded.delete(treeFocus) && treeFocus : treeFocus.parent),
    Enter: () => chooseNode(treeFocus),
    " ": () => chooseNode(treeFocus),
  };
  if (!steps[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  treeFocus = steps[event.key]() ?? treeFocus;
  drawTree();
}

treeList.addEventListener("keydown", onTreeKey);
