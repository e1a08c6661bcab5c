import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, readJson } from './files.mjs';

/** The folder, from the root, of the npm package that a file is of; null where it is our own. */
export function packageOf(path) {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? null;
}

/** Writes the license of every package that is copied, whole or in part. */
export function stageLicenses(path, packages) {
  const texts = [...packages].sort().map((folder) => {
    const { name, version, license } = readJson(join(ROOT, folder, 'package.json'));
    return [`${name} ${version} (${license})`, ...licenseFiles(join(ROOT, folder))].join('\n\n');
  });
  writeFileSync(path, `${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`);
}

function licenseFiles(folder) {
  const names = readdirSync(folder).filter((name) => /^(licen[cs]e|notice)\b/i.test(name));
  return names.map((name) => readFileSync(join(folder, name), 'utf8').trim());
}
