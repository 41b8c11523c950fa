// Draw a diagram in DOT from stdin with Graphviz, in the format of the first argument; its warnings go to stderr.
import { readFileSync } from "node:fs";
import { instance } from "@viz-js/viz";

const viz = await instance();
const result = viz.render(readFileSync(0, "utf8"), { format: process.argv[2] });
for (const { level, message } of result.errors) {
  // This build has no fonts and estimates the width of texts, which changes nothing that is read here.
  if (!message.includes("no value for width of")) console.error(`${level ?? "error"}: ${message}`);
}
process.stdout.write(result.output ?? "");
process.exitCode = result.status === "success" ? 0 : 1;
