// Reads an AsyncAPI document from standard input and prints what the official parser says of it, as JSON.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

globalThis.self = globalThis; // the parser is built for browsers
const Parser = createRequire(import.meta.url)(process.argv[2]);
const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
const operations = document ? document.operations().all().map((one) => one.id()) : [];
console.log(JSON.stringify({ operations, diagnostics }));
