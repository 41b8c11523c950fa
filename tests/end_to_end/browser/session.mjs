// A page in the real Chromium: any request besides the page itself, any error and any dialog is a failure.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const require = createRequire(new URL("../../../.ci/package.json", import.meta.url));
const puppeteer = require("puppeteer-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf-8");
export const WIDTHS = [360, 800, 1400];
export const THEMES = ["light", "dark"];

/** Opens a file and calls `work` with it; afterwards fails if the page did anything that is forbidden. */
export async function visit(file, work) {
  // All tests share one browser; in a context of its own, a page knows nothing of the others.
  const browser = await puppeteer.connect({ browserWSEndpoint: process.env.BROWSER });
  const context = await browser.createBrowserContext();
  const strange = [];
  try {
    const page = await context.newPage();
    const url = pathToFileURL(file).href;
    await page.setRequestInterception(true);
    page.on("request", (request) => {
      const own = request.url().split("#")[0] === url;
      if (!own) strange.push(`request ${request.url()}`);
      own ? request.continue() : request.abort();
    });
    page.on("console", (message) => strange.push(`console ${message.type()} ${message.text()}`));
    page.on("pageerror", (error) => strange.push(`error ${error.stack}`));
    page.on("dialog", (dialog) => (strange.push(`dialog ${dialog.message()}`), dialog.dismiss()));
    context.on("targetcreated", (target) => target.type() === "page" && strange.push(`page ${target.url()}`));
    await work(new Visit(page, url));
  } finally {
    await context.close();
    await browser.disconnect();
  }
  assert.deepEqual(strange, []);
}

export class Visit {
  constructor(page, url) {
    this.page = page;
    this.url = url;
  }

  /** Opens the page again, at a state. */
  async open(hash = "", width = 1400, theme = "light") {
    await this.page.setViewport({ width, height: width < 500 ? 740 : 900 });
    await this.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
    await this.page.goto("about:blank");
    await this.page.goto(`${this.url}${hash && `#${hash}`}`);
  }

  /** Evaluates a function in the page. */
  ask(find, ...given) {
    return this.page.evaluate(find, ...given);
  }

  text(selector) {
    return this.ask((one) => document.querySelector(one)?.textContent ?? null, selector);
  }

  texts(selector) {
    return this.ask((one) => [...document.querySelectorAll(one)].map((element) => element.textContent), selector);
  }

  async press(...keys) {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  async click(selector) {
    // An earlier click may have moved it.
    await this.settled();
    await this.page.click(selector);
  }

  /** Replaces the text of a field by typing. */
  async fill(selector, words) {
    await this.page.click(selector, { count: 3 });
    await this.page.keyboard.press("Backspace");
    await this.page.keyboard.type(words);
  }

  /** Returns the state in the URL. */
  async hash() {
    return Object.fromEntries(new URLSearchParams(new URL(this.page.url()).hash.slice(1)));
  }

  /** Returns the focused element, as `role label` or `tag id`. */
  focus() {
    return this.ask(() => {
      const { role, id, tagName, dataset, ariaLabel, textContent } = document.activeElement;
      if (role === "gridcell") return `gridcell ${dataset.key}, ${dataset.at}: ${textContent}`;
      return role ? `${role} ${ariaLabel ?? textContent}` : `${tagName.toLowerCase()} ${id}`;
    });
  }

  /** Waits until the next frame has been drawn. */
  settled() {
    return this.ask(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))));
  }

  shot(path) {
    return this.page.screenshot({ path });
  }

  /** Returns the serious and critical violations that axe-core finds. */
  async barriers() {
    await this.ask(AXE);
    const { violations } = await this.ask(() => axe.run(document, { resultTypes: ["violations"] }));
    const grave = violations.filter((one) => one.impact === "serious" || one.impact === "critical");
    return grave.map(
      (one) =>
        `${one.id}: ${one.nodes
          .slice(0, 3)
          .map((node) => `${node.html} ${node.failureSummary}`)
          .join("; ")}`,
    );
  }
}
