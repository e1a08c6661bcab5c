// Writes `dist/index.d.ts`, the declarations that are published: src/public.ts, which holds types alone, with the names of
// step fields in place of its one import. So a user needs neither the workspace's packages nor zod to compile.
import { readFileSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const IMPORT = "import type { StepArray, StepScalar } from '@evenkeel/protocol';\n";

const source = readFileSync('src/public.ts', 'utf8');
const [head, body, ...more] = source.split(IMPORT);
if (head !== '' || body === undefined || more.length > 0 || /^import\b/m.test(body)) {
  throw new Error(`src/public.ts must begin with this line and import nothing else:\n${IMPORT}`);
}
const fields = await readStepFields();
const union = (kept) =>
  fields
    .filter(kept)
    .map(({ name }) => `'${name}'`)
    .join(' | ');
const declarations = [
  `type StepScalar = ${union(({ kind }) => kind !== 'array')};`,
  `type StepArray = ${union(({ kind }) => kind === 'array')};`,
  body.replaceAll(/^\/\/.*\n/gm, ''), // without what is said to those who edit the source
  'export {};\n', // so that what is not marked as exported is not
];
writeFileSync('dist/index.d.ts', declarations.join('\n'));

async function readStepFields() {
  const contents = "export { STEP_FIELDS } from '@evenkeel/protocol'";
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: process.cwd() },
    bundle: true,
    write: false,
    format: 'esm',
    conditions: ['source'],
  });
  const { STEP_FIELDS } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
  return STEP_FIELDS;
}
