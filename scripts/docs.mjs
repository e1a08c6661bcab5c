// `npm run docs`: writes the pages of docs/api from the sources of the packages that they describe.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FOLDER, pagesOf, readApi } from './api-docs/pages.mjs';

const folder = join(import.meta.dirname, '..', FOLDER);
const pages = pagesOf(readApi());

mkdirSync(folder, { recursive: true });
for (const name of readdirSync(folder)) if (!pages.has(name)) rmSync(join(folder, name));
for (const [name, text] of pages) writeFileSync(join(folder, name), text);
console.log(`wrote ${[...pages.keys()].map((name) => `${FOLDER}/${name}`).join(', ')}`);
