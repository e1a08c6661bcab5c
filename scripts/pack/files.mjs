import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

export function writeJson(path, value) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** Copies a file or a folder to the same path below another root. */
export function copy(path, { from, to, filter }) {
  cpSync(join(from, path), join(to, path), { recursive: true, filter });
}

/** What both manifests have in common with those of the workspace. */
export function publicManifest({ name, version, description, keywords, license, type }) {
  const { engines } = readJson(join(ROOT, 'package.json'));
  return { name, version, description, keywords, license, type, engines };
}
