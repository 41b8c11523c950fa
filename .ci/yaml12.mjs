// Parse YAML 1.2 with a parser that shares no code with envtree's: each line of stdin is a text in JSON; print its data, or the reason of
// a refusal, as a line of JSON.
import { createInterface } from "node:readline";
import { parseAllDocuments } from "yaml";

const OPTIONS = { version: "1.2", schema: "core", merge: true, uniqueKeys: true, strict: true, logLevel: "silent", maxAliasCount: 1e6 };

function odd(value) {
  if (value instanceof Map) return [...value.entries()].some(([key, inner]) => typeof key !== "string" || odd(inner));
  if (Array.isArray(value)) return value.some(odd);
  if (typeof value === "number") return !Number.isFinite(value);
  return value !== null && !["string", "boolean", "number"].includes(typeof value);
}

function plain(value) {
  if (value instanceof Map) return Object.fromEntries([...value.entries()].map(([key, inner]) => [key, plain(inner)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

function answer(text) {
  try {
    const found = parseAllDocuments(text, OPTIONS);
    const documents = Array.isArray(found) ? found : [];
    if (documents.length > 1) return { refused: "documents" };
    if (documents.length === 0) return { data: null };
    if (documents[0].errors.length) return { refused: documents[0].errors[0].code };
    const value = documents[0].toJS({ mapAsMap: true });
    return odd(value) ? { refused: "not JSON" } : { data: plain(value) };
  } catch (error) {
    return { refused: error.name };
  }
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  console.log(JSON.stringify(answer(JSON.parse(line))));
}
