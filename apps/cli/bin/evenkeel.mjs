#!/usr/bin/env node
import { existsSync } from 'node:fs';

const program = new URL('../dist/main.mjs', import.meta.url);
if (existsSync(program)) {
  await import(program.href);
} else {
  console.error('evenkeel is not built yet: run "npm start", or "npm run build", at the root of the repository');
  process.exitCode = 1;
}
