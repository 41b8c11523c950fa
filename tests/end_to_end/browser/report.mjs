// Scenes that use the page of `envtree report`: `node report.mjs SCENE FILE [ARGUMENT]`.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { THEMES, WIDTHS, visit } from "./session.mjs";

const CLERK = "storefront/checkout/refund-clerk@production";
const PROVENANCE = `at=${CLERK}&key=env_vars.DATABASE_URL`;
const cell = (key, at) => `[role=gridcell][data-key="${key}"][data-at="${at}"]`;
const layerNames = (visit) => visit.texts("#panel .layer-entry:not(.absent) .name");

const scenes = {
  /** The provenance panel by mouse: the winner is bold, the loser is struck, and all layers are listed. */
  async mouse(visit) {
    await visit.open(`node=storefront/checkout/refund-clerk`);
    await visit.click(cell("env_vars.DB_USER", CLERK));
    assert.equal(await visit.text("#panel-title"), "env_vars.DB_USER");
    assert.deepEqual(await layerNames(visit), ["E environment live", "TE team-environment live"]);
    assert.equal(await visit.text("#panel .layer-entry strong code"), "checkout_rw");
    assert.equal(await visit.text("#panel .layer-entry s code"), "agents_ro");
    assert.equal(
      await visit.text("#panel .layer-entry.set .place"),
      "projects/storefront/teams/checkout/environments/live.yaml:6:14",
    );
    assert.equal((await visit.texts("#panel .layer-entry")).length, 10);
    assert.deepEqual(await visit.hash(), {
      node: "storefront/checkout/refund-clerk",
      at: CLERK,
      key: "env_vars.DB_USER",
    });
    await visit.click(cell("env_vars.TZ", CLERK));
    assert.equal(await visit.text("#panel .locked"), " locked at organization.yaml:119:23");
    assert.ok(await visit.ask((one) => document.querySelector(`${one} .lock`), cell("env_vars.TZ", CLERK)));
    await visit.click(cell("env_vars.DB_USER", CLERK));
    await visit.click("#panel .shut");
    assert.equal(await visit.text("#panel-title"), null);
    assert.match(await visit.focus(), /^gridcell env_vars.DB_USER, /);
  },

  /** The same by keyboard; the focus moves into the panel, and back to the cell. */
  async keyboard(visit) {
    await visit.open("node=storefront/checkout/refund-clerk");
    await visit.ask(() => document.querySelector("[role=gridcell][tabindex='0']").focus());
    assert.match(await visit.focus(), /^gridcell model_id, .*@development: /);
    await visit.press("ArrowRight", "ArrowDown", "ArrowDown", "ArrowDown");
    assert.match(
      await visit.focus(),
      /^gridcell env_vars.DATABASE_URL, .*@production: secretE, set by environment live/,
    );
    await visit.press("Enter");
    assert.equal(await visit.focus(), "h2 panel-title");
    assert.match(await visit.text("#panel .block"), /^secret$/);
    assert.match(await visit.text("#panel .sealed, #panel .reads"), /secrets.db.password = secretprojects\/storefront/);
    await visit.press("Escape");
    assert.match(await visit.focus(), /^gridcell env_vars.DATABASE_URL/);
    await visit.press("End", "ArrowDown", "Home", "ArrowUp");
    assert.match(await visit.focus(), /^gridcell env_vars.DATABASE_URL, .*@development/);
    await visit.press("PageDown", "PageDown", "PageDown", "PageDown");
    const last = await visit.focus();
    assert.match(last, /^gridcell mcp_servers/);
    await visit.page.keyboard.down("Control");
    await visit.press("Home");
    assert.match(await visit.focus(), /^gridcell model_id, .*@development/);
    await visit.press("End");
    await visit.page.keyboard.up("Control");
    assert.equal(await visit.focus(), last.replace("@development", "@staging"));
    await tabThrough(visit);
  },

  /** While the panel is open, the arrow keys of the matrix update it. */
  async follow(visit) {
    await visit.open(`node=storefront/checkout/refund-clerk`);
    await visit.click(cell("env_vars.DB_NAME", CLERK));
    await visit.press("ArrowDown");
    assert.equal(await visit.text("#panel-title"), "env_vars.DB_USER");
    await visit.click("#panel .shut");
    await visit.click(cell("env_vars.DATABASE_URL", CLERK));
    await visit.ask(() =>
      [...document.querySelectorAll("#panel .link")].find((one) => one.textContent === "env_vars.DB_HOST").click(),
    );
    assert.equal(await visit.text("#panel-title"), "env_vars.DB_HOST");
    assert.equal((await visit.hash()).key, "env_vars.DB_HOST");
  },

  async filters(visit) {
    await visit.open();
    assert.match(await visit.text("#status"), /^\d+ keys × 38 bundles$/);
    await visit.page.select("#project", "platform");
    await visit.page.select("#environment", "staging");
    assert.match(await visit.text("#status"), /^\d+ keys × 4 bundles in platform$/);
    await visit.fill("#text", "log_level");
    assert.equal(await visit.text("#status"), "1 key × 4 bundles in platform");
    assert.deepEqual(await visit.hash(), { node: "platform", environment: "staging", text: "log_level" });
    await visit.fill("#text", "berlin-1");
    assert.equal(await visit.text("#nothing"), "Nothing matches these filters.");
    await visit.click("#clear");
    await visit.fill("#text", "berlin-1");
    assert.match(await visit.text("#status"), /^2 keys × 38 bundles$/);
    await visit.page.reload();
    assert.match(await visit.text("#status"), /^2 keys × 38 bundles$/);
    assert.equal(await visit.ask(() => document.getElementById("text").value), "berlin-1");
    await visit.click("#clear");
    await visit.page.select("#columns", "environments");
    assert.match(await visit.text("#status"), /× 3 environments$/);
    await visit.click(cell("env_vars.LOG_LEVEL", "production"));
    assert.equal(await visit.text("#panel .block"), "warning");
    await visit.click("#panel .members .link");
    assert.match(await visit.text("#panel .panel-head p"), /@production$/);
  },

  async differences(visit) {
    await visit.open("node=storefront/checkout");
    await visit.fill("#one", "staging");
    assert.equal(await visit.text("#status"), "Name a second one to compare with.");
    await visit.fill("#other", "production");
    const keys = await visit.texts("#grid .first");
    assert.ok(keys.includes("LOG_LEVEL") && keys.includes("DATABASE_URL") && !keys.includes("TZ"), keys);
    assert.match(await visit.text("#status"), /× 4 bundles in storefront\/checkout$/);
    assert.equal(
      await visit.ask(
        (one) => document.querySelector(one).classList.contains("differs"),
        cell("env_vars.LOG_LEVEL", CLERK),
      ),
      true,
    );
    await visit.fill("#other", "storefront/checkout/refund-clerk@staging");
    assert.equal(await visit.text("#status"), "Name two bundles, or two environments.");
    await visit.fill("#one", CLERK);
    assert.match(await visit.text("#status"), /^\d+ keys × 2 bundles in/);
    await visit.fill("#one", "nobody");
    assert.equal(await visit.text("#status"), "There is no bundle and no environment ‘nobody’.");
    await visit.click("#clear");
    await visit.click("#differ");
    const uneven = await visit.texts("#grid .first");
    assert.ok(uneven.includes("LOG_LEVEL") && !uneven.includes("TZ"), uneven);
  },

  /** The tree: counts and a filter, by mouse and by keyboard. */
  async tree(visit) {
    await visit.open();
    const item = (path) => `[role=treeitem][data-path="${path}"]`;
    assert.equal(await visit.text(item("platform")), "▾platformPLAT 9 bundles  42 keys  3 secrets  no findings ");
    await visit.click(item("platform/data"));
    assert.equal((await visit.hash()).node, "platform/data");
    assert.match(await visit.text("#status"), /4 bundles in platform\/data$/);
    await visit.press("ArrowDown", "Enter");
    assert.equal((await visit.hash()).node, "platform/data/pipeline-doctor");
    await visit.press("ArrowUp", "ArrowLeft");
    assert.equal(await visit.text(item("platform/data/pipeline-doctor")), null);
    await visit.press(
      "ArrowRight",
      "ArrowRight",
      "Home",
      "ArrowDown",
      "ArrowRight",
      "ArrowRight",
      "ArrowDown",
      "Enter",
    );
    assert.deepEqual(await visit.hash(), { node: "platform/data/pipeline-doctor", environment: "development" });
    assert.equal(await visit.text("#nothing"), "Nothing matches these filters.");
    await visit.press("Home", "Enter");
    assert.deepEqual(await visit.hash(), {});
  },

  async theme(visit) {
    const ground = () => visit.ask(() => getComputedStyle(document.body).backgroundColor);
    await visit.open("", 1400, "light");
    const light = await ground();
    await visit.open("", 1400, "dark");
    const dark = await ground();
    assert.notEqual(light, dark);
    await visit.click("#theme");
    assert.equal(await ground(), light);
    await visit.click("#theme");
    assert.equal(await ground(), dark);
    assert.deepEqual(await visit.hash(), { theme: "dark" });
    assert.equal(await visit.text("#theme"), "Theme: dark");
  },

  /** A link reopens the view that it was copied from. */
  async link(visit) {
    await visit.open(`${PROVENANCE}&text=URL&theme=dark`);
    assert.equal(await visit.text("#panel-title"), "env_vars.DATABASE_URL");
    assert.equal(
      await visit.ask((one) => Boolean(document.querySelector(`${one}.open`)), cell("env_vars.DATABASE_URL", CLERK)),
      true,
    );
    await visit.ask(() => (location.hash = "#view=findings"));
    await visit.settled();
    assert.equal(await visit.ask(() => document.getElementById("findings").hidden), false);
    assert.equal(await visit.text("#panel-title"), null);
    await visit.open("at=nobody&key=%3Cimg%3E&node=%3Cscript%3E&view=odd&columns=odd&toString=1");
    assert.equal(await visit.text("#nothing"), "Nothing matches these filters.");
  },

  async findings(visit) {
    await visit.open("view=findings");
    assert.equal(await visit.text("#told"), "30 findings");
    await visit.click("#severity-error");
    assert.equal(await visit.text("#told"), "3 findings");
    assert.equal((await visit.hash()).severity, "error");
    await visit.press("Enter");
    await visit.fill("#words", "ET701");
    assert.match(await visit.text("#list .head"), /^error ET701/);
    await visit.fill("#words", "");
    await visit.click("[data-path='booking/payments']");
    assert.equal(await visit.text("#told"), "5 findings of 30 in booking/payments");
    await visit.click("[data-path='support/phone-desk']"); // which has no bundle
    assert.equal(await visit.text("#told"), "1 finding of 30 in support/phone-desk");
    await visit.press("Home", "Enter");
    await visit.ask(() => document.querySelector("#list .link").click());
    assert.equal((await visit.hash()).view, undefined);
    assert.equal(await visit.focus(), "h2 panel-title");
  },

  /** A comparison with another tree: old and new values, the line that is the cause, and changed cells only. */
  async changes(visit) {
    await visit.open();
    assert.match(
      await visit.text("#about"),
      /^from .\/before to the working tree: 14 bundles changed, 3 added, 1 removed/,
    );
    await visit.click("#about summary");
    assert.deepEqual(await visit.texts("#about li"), ["platform/cost-watcher@production"]);
    await visit.click("#about summary");
    await visit.click("#changes");
    assert.deepEqual(await visit.texts("#grid .first"), ["LOG_LEVEL", "OWNER"]);
    await visit.click("[data-path='storefront/checkout']");
    assert.equal(await visit.text(`${cell("env_vars.LOG_LEVEL", CLERK)} del`), "was warning");
    assert.equal(await visit.text(`${cell("env_vars.LOG_LEVEL", CLERK)} ins`), " now error");
    await visit.click(cell("env_vars.OWNER", CLERK));
    assert.match(
      await visit.text("#panel .became"),
      /^changed since .\/beforewas checkoutadded environments\/production.yaml:\d+$/,
    );
    assert.deepEqual(await layerNames(visit), ["O organization", "E environment production"]);
    await visit.open("node=storefront/shop-helper");
    assert.match(await visit.text("#grid .top em"), /^developmentnew$/);
    await inWords(visit);
  },

  /** 1,000 bundles: only visible cells are drawn, with their position in the grid. */
  async big(visit) {
    const start = performance.now();
    await visit.open();
    await visit.page.waitForSelector("[role=gridcell]");
    await visit.settled();
    const opened = performance.now() - start;
    const grid = () =>
      visit.ask(() => ({
        rows: document.getElementById("grid").ariaRowCount,
        columns: document.getElementById("grid").ariaColCount,
        cells: document.querySelectorAll("[role=gridcell]").length,
      }));
    const { rows, columns, cells } = await grid();
    assert.equal(columns, "1001");
    assert.ok(Number(rows) > 70 && cells < 800, JSON.stringify({ rows, cells }));
    const slow = await visit.ask(scroll, 100, 60, 10);
    const jumps = await visit.ask(scroll, 60, 3000, 500);
    await visit.settled();
    const right = await visit.ask(() =>
      [...document.querySelectorAll(".row:last-child [role=gridcell]")].map((one) => Number(one.ariaColIndex)),
    );
    assert.ok(right.includes(1001), String(right));
    assert.ok((await grid()).cells < 800);
    await visit.fill("#text", "p007-t003-a002");
    console.log(JSON.stringify({ "open ms": Math.round(opened), frames: [slow, jumps].map(told), cells }));
  },

  /** Every text of a file is shown as text, never as markup. */
  async hostile(visit, argument) {
    const expected = JSON.parse(readFileSync(argument, "utf-8"));
    await visit.open();
    const unseen = (text) => text.replace(/⟨U\+([0-9A-F]+)⟩/g, (_, code) => String.fromCodePoint(parseInt(code, 16)));
    for (const [key, value] of Object.entries(expected.values)) {
      await visit.ask((names) => (location.hash = new URLSearchParams(names).toString()), { at: expected.id, key });
      await visit.settled();
      assert.equal(unseen(await visit.text("#panel-title")), key);
      const told = unseen(await visit.text("#panel .block"));
      // In `config` a text that looks like another type is shown with quotes.
      assert.ok(told === value || told === JSON.stringify(value), `${key} is ${told}`);
    }
    await visit.open("view=findings");
    const messages = (await visit.texts("#list .message")).map(unseen);
    for (const message of expected.messages)
      assert.ok(
        messages.some((one) => one.includes(message)),
        message,
      );
    for (const words of ["<img src=x onerror=alert(1)>", "</script>", "javascript:alert(1)"]) {
      await visit.open(new URLSearchParams({ text: words, node: words, one: words, words }).toString());
    }
    const foreign = await visit.ask(
      () =>
        [...document.querySelectorAll("*")].filter(
          (one) =>
            /^(?:img|iframe|object|embed|base|audio|video)$/i.test(one.tagName) ||
            [...one.attributes].some(
              (attribute) =>
                /^on/i.test(attribute.name) ||
                (/^(?:src|href)$/.test(attribute.name) && !attribute.value.startsWith("#")),
            ),
        ).length,
    );
    assert.equal(foreign, 0);
    assert.equal(await visit.ask(() => document.scripts.length), 2);
  },

  /** No serious accessibility violation in either theme, at any width, with and without the panel; pictures go to `argument`. */
  async barriers(visit, argument) {
    const views = {
      plain: "",
      provenance: PROVENANCE,
      findings: "view=findings",
      environments: "columns=environments",
      differences: "one=staging&other=production",
    };
    for (const width of WIDTHS)
      for (const theme of THEMES)
        for (const [name, hash] of Object.entries(views)) {
          await visit.open(hash, width, theme);
          await visit.ask(() => Promise.all(document.getAnimations().map((one) => one.finished)));
          if (argument) await visit.shot(`${argument}/${name}-${width}-${theme}.png`);
          assert.deepEqual(await visit.barriers(), [], `${name} ${width} ${theme}`);
          const overflow = await visit.ask(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(overflow <= 0, `${name} ${width}: the page is ${overflow} px too wide`);
        }
  },
};

/** The view of the changes as text: by keyboard, with changes that have no cell, and without accessibility violations. */
async function inWords(visit) {
  await visit.open();
  await visit.ask(() => document.getElementById("tab-matrix").focus());
  await visit.press("ArrowLeft");
  assert.equal((await visit.hash()).view, "difference");
  assert.match(await visit.focus(), /^tab Changes /);
  assert.match(await visit.text("#difference .sentence"), /^14 agents get new values in production; 1 agent is new/);
  const titles = (await visit.texts("#difference h2")).map((text) => text.replace(/ \d+$/, ""));
  assert.deepEqual(titles.slice(0, 3), ["Values, by cause", "Bundles that are new or gone", "Rules"]);
  const entries = await visit.texts("#difference ol > li");
  for (const words of [
    /^environments\/production.yaml:\d+ \(edited\)env_vars.LOG_LEVEL: "warning" → "error"in 14 bundles: all in/,
    /env_vars.OWNER: "checkout" → ".*<img src=x onerror=alert\(1\)>/,
    /^goneplatform\/cost-watcher in production/,
    /^changedpolicy production-is-quiet changedpolicies\/production-is-quiet.yaml:\d+$/,
  ])
    assert.ok(
      entries.some((one) => words.test(one)),
      `${words} in ${JSON.stringify(entries)}`,
    );
  await visit.press("ArrowRight");
  assert.deepEqual(await visit.hash(), {});
  for (const width of WIDTHS)
    for (const theme of THEMES) {
      await visit.open("view=difference", width, theme);
      assert.deepEqual(await visit.barriers(), [], `changes ${width} ${theme}`);
      const overflow = await visit.ask(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `changes ${width}: the page is ${overflow} px too wide`);
    }
}

/** Scrolls from one corner of the matrix to the other in steps; returns the duration of each frame in milliseconds. */
async function scroll(steps, across, down) {
  const grid = document.getElementById("grid");
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const frames = [];
  let before = await frame();
  for (let n = 1; n <= steps; n++) {
    grid.scrollTo(grid.scrollLeft + across, grid.scrollTop + down);
    const now = await frame();
    frames.push(now - before);
    before = now;
  }
  return frames.sort((a, b) => a - b);
}

const told = (frames) => [0.5, 0.95, 1].map((share) => Math.round(frames[Math.ceil(frames.length * share) - 1]));

/** Tab visits every part of the page and returns to the first; the matrix and the tree are one stop each. */
async function tabThrough(visit) {
  await visit.open();
  const stops = [];
  for (let n = 0; n < 40; n++) {
    await visit.press("Tab");
    const stop = (await visit.focus()).replace(/^(gridcell|treeitem) .*/, "$1");
    if (stop === stops[0]) break;
    stops.push(stop);
  }
  for (const stop of [
    "a skip",
    "button theme",
    "treeitem",
    "input text",
    "select project",
    "input one",
    "button clear",
    "gridcell",
  ]) {
    assert.equal(stops.filter((one) => one === stop).length, 1, `${stop} in ${stops}`);
  }
}

const [, , name, file, argument] = process.argv;
await visit(file, (page) => scenes[name](page, argument));
