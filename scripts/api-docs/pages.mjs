// The pages of docs/api: what each package exports, with signature and docstring, from its sources.
import { join } from 'node:path';
import { exportsOf, findDeclaration } from './modules.mjs';
import { proceduresOf } from './procedures.mjs';
import { docstringBefore, signatureOf } from './signature.mjs';

const ROOT = join(import.meta.dirname, '../..');
/** Where the pages are, from the root of the repository. */
export const FOLDER = 'docs/api';

const PACKAGES = {
  protocol: {
    entry: 'packages/protocol/src/index.ts',
    introduction:
      'The messages, their limits and the binary step codec. The [specification](../../packages/protocol/README.md) describes them on the wire.',
  },
  api: {
    entry: 'packages/api/src/index.ts',
    router: 'appRouter',
    introduction:
      'The tRPC router of a server: its procedures with the schemas of their inputs, then the exports. `AppRouter` types the answers. The [HTTP API](../http-api.md) is described by itself.',
  },
  emit: {
    entry: 'packages/emit/src/public.ts', // its published declarations are made of it: see packages/emit/scripts
    introduction:
      'The client for JavaScript trainers. [Its README](../../packages/emit/README.md) describes what it guarantees.',
  },
  stability: {
    entry: 'packages/stability/src/index.ts',
    introduction: 'Pure functions: TEV, gradient variance, forecast, rules, timeline of attempts, policies.',
  },
};

const KINDS = {
  query: 'Queries',
  mutation: 'Mutations',
  function: 'Functions',
  class: 'Classes',
  schema: 'Schemas',
  interface: 'Interfaces',
  type: 'Types',
  constant: 'Constants',
  value: 'Values',
};

const KIND_OF_NODE = {
  FunctionDeclaration: 'function',
  TSDeclareFunction: 'function',
  ClassDeclaration: 'class',
  TSInterfaceDeclaration: 'interface',
  TSTypeAliasDeclaration: 'type',
};

/** @typedef {{ package: string, name: string, kind: string, signature: string | null, docstring: string | null }} Entry */

/** Every export of the packages. @returns {Entry[]} */
export function readApi() {
  return Object.entries(PACKAGES).flatMap(([name, { entry }]) =>
    exportsOf(join(ROOT, entry)).map((declaration) => ({
      package: name,
      name: declaration.name,
      kind: kindOf(declaration),
      signature: signatureOf(declaration),
      docstring: docstringBefore(declaration.module, declaration.start),
    })),
  );
}

/** The procedures of a package's router. @returns {Entry[]} */
function readProcedures(name) {
  const { entry, router } = PACKAGES[name];
  const routers = exportsOf(join(ROOT, entry)).filter((declaration) => declaration.name === router);
  return routers.flatMap((each) => proceduresOf(each)).map((procedure) => ({ ...procedure, package: name }));
}

/** The names that a file exports, such as to compare two entries of a package. @returns {string[]} */
export function exportNames(entry) {
  return exportsOf(join(ROOT, entry)).map(({ name }) => name);
}

/** @returns {Map<string, string>} the text of each page by its file name. */
export function pagesOf(api) {
  return new Map(Object.keys(PACKAGES).map((name) => [`${name}.md`, pageOf(name, api)]));
}

function pageOf(name, api) {
  const entries = [...readProcedures(name), ...api.filter((each) => each.package === name)];
  const sections = Object.entries(KINDS).flatMap(([kind, title]) => {
    const ofKind = entries.filter((each) => each.kind === kind).sort(byName);
    return ofKind.length > 0 ? [`## ${title}`, ...ofKind.map((each) => sectionOf(each, api))] : [];
  });
  const head = [
    `# @evenkeel/${name}`,
    PACKAGES[name].introduction,
    'This page is generated from the sources: `npm run docs` writes it.',
  ];
  return `${[...head, ...sections].join('\n\n')}\n`;
}

/** By code point, so that the order is the same everywhere. */
function byName(one, other) {
  return one.name < other.name ? -1 : 1;
}

function sectionOf(entry, api) {
  const { docstring, signature } = entry;
  const parts = [
    `### ${headingOf(entry)}`,
    docstring === null ? null : markdownOf(entry, api),
    signature === null ? null : `\`\`\`ts\n${signature}\n\`\`\``,
  ];
  return parts.filter((part) => part !== null).join('\n\n');
}

/** With its kind, since GitHub's anchors of a schema `alert` and its type `Alert` would be the same. */
function headingOf({ kind, name }) {
  return `${kind} ${name}`;
}

function markdownOf({ package: from, docstring }, api) {
  const [description, ...tags] = docstring.split(/^@/m);
  const items = tags.map((tag) => `- ${tagText(tag.trim().replaceAll(/\n/g, '\n  '))}`);
  const text = [description.trim(), items.join('\n')].filter((part) => part !== '').join('\n\n');
  return text.replaceAll(/\{@link ([\w.]+)(?: ([^}]+))?\}/g, (_, target, label) => linkTo(target, label, from, api));
}

function tagText(tag) {
  const [word] = tag.split(/\s/, 1);
  const rest = tag.slice(word.length).trim();
  if (word === 'param') return rest.replace(/^\w+/, '`$&`:');
  if (word === 'throws') return `Throws ${rest.replace(/^\w*Error\b/, '`$&`')}`;
  return `${word[0].toUpperCase()}${word.slice(1)} ${rest}`;
}

/** To the heading of an export, of the same package where several have the name; else its name as code. */
function linkTo(target, label, from, api) {
  const [name] = target.split('.');
  const named = api.filter((each) => each.name === name);
  const entry = named.find((each) => each.package === from) ?? named[0];
  const text = label ?? `\`${target}\``;
  if (!entry) return text;
  const page = entry.package === from ? '' : `${entry.package}.md`;
  return `[${text}](${page}#${headingOf(entry).replaceAll(' ', '-').toLowerCase()})`;
}

function kindOf({ module, node, name }) {
  const kind = KIND_OF_NODE[node.type];
  if (kind) return kind;
  if (node.init.type === 'ArrowFunctionExpression') return 'function';
  if (/^[A-Z][A-Z\d_]*$/.test(name)) return 'constant';
  return isSchema(module, node.init) ? 'schema' : 'value';
}

/** Whether an expression begins with zod's `z`, or with a value that does. */
function isSchema(module, expression) {
  switch (expression?.type) {
    case 'CallExpression':
      return isSchema(module, expression.callee);
    case 'MemberExpression':
      return isSchema(module, expression.object);
    case 'ArrowFunctionExpression':
      return isSchema(module, expression.body);
    case 'Identifier':
      return expression.name === 'z' || isSchemaNamed(findDeclaration(module, expression.name));
    default:
      return false;
  }
}

function isSchemaNamed(declaration) {
  return declaration !== null && isSchema(declaration.module, declaration.node.init);
}
