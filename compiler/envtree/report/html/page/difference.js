// What differs from another tree, in words: also what has no cell, such as rules and who can read secrets.

const HAPPENED = { added: "new", removed: "gone", changed: "changed" };

function drawDifference() {
  if (!DIFFERENCE) return;
  const { sentence, groups } = DIFFERENCE.told;
  const count = groups.reduce((sum, group) => sum + group.count, 0);
  byId("differences").textContent = count.toLocaleString("en");
  byId("difference").replaceChildren(
    make("p", { class: "sentence" }, visible(sentence)),
    ...groups.map(differenceGroup),
  );
}

function differenceGroup({ title, count, entries }) {
  const more = count - entries.length;
  return make(
    "div",
    {},
    make("h2", {}, title, make("span", {}, ` ${count.toLocaleString("en")}`)),
    make("ol", {}, ...entries.map(differenceEntry)),
    more > 0 && make("p", { class: "note" }, `and ${more.toLocaleString("en")} more, which envtree diff tells`),
  );
}

function differenceEntry({ kind, head, where, notes }) {
  return make(
    "li",
    { class: kind },
    make("p", { class: "head" }, kind && make("mark", {}, HAPPENED[kind]), make("b", {}, visible(head))),
    notes.length > 0 && make("ul", {}, ...notes.map((note) => make("li", {}, visible(note)))),
    ...where.map((place) => make("p", { class: "where" }, visible(place))),
  );
}
