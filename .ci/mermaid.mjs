// Parse a JSON list of diagrams from stdin with Mermaid's own parser; print the nodes, arrows, groups and settings of each as JSON.
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";

// Mermaid sanitises labels with a library that needs a DOM.
globalThis.window = new JSDOM("").window;
globalThis.document = window.document;
const { default: mermaid } = await import("mermaid");
mermaid.initialize({ startOnLoad: false, securityLevel: "strict", suppressErrorRendering: true });

async function understood(text) {
  try {
    const { diagramType, config } = await mermaid.parse(text);
    const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
    const nodes = [...db.getVertices().values()];
    return {
      type: diagramType,
      config,
      nodes: nodes.map(({ id, text, type, link, haveCallback, icon, img }) => [id, text, type, !!(link || haveCallback || icon || img)]),
      arrows: db.getEdges().map(({ start, end, text }) => [start, end, text]),
      groups: db.getSubGraphs().length,
    };
  } catch (error) {
    return { error: error.message };
  }
}

const answers = [];
for (const text of JSON.parse(readFileSync(0, "utf8"))) {
  answers.push(await understood(text));
}
console.log(JSON.stringify(answers));
