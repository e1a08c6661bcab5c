// Finds where the exports of a package are declared, from its sources alone.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseSync } from 'oxc-parser';

/** @typedef {{ path: string, source: string, program: object, comments: object[] }} Module */
/** @typedef {{ name: string, module: Module, node: object, start: number }} Declaration `start` is that of its statement. */

const parsed = new Map();

/** @returns {Module} */
function parseModule(path) {
  const known = parsed.get(path);
  if (known) return known;
  const source = readFileSync(path, 'utf8');
  const { program, comments, errors } = parseSync(path, source);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
  const module = { path, source, program, comments };
  parsed.set(path, module);
  return module;
}

/** Every export of a module, with what it exports of other files, by name. @returns {Declaration[]} */
export function exportsOf(path) {
  const module = parseModule(path);
  return [...exportedNames(module)].map((name) => {
    const declaration = findDeclaration(module, name);
    if (!declaration) throw new Error(`${path} exports ${name}, which no file of its package declares`);
    return { ...declaration, name };
  });
}

/** @returns {Set<string>} */
function exportedNames(module) {
  const names = new Set();
  for (const statement of module.program.body) {
    if (statement.type === 'ExportAllDeclaration') {
      for (const name of exportedNames(targetOf(module, statement))) names.add(name);
    } else if (statement.type === 'ExportNamedDeclaration') {
      for (const { exported } of statement.specifiers) names.add(exported.name);
      for (const { name } of declaredBy(statement)) names.add(name);
    }
  }
  return names;
}

/**
 * Where a name that a module declares, imports or exports is declared; null where that is not in the same package.
 * @returns {Declaration | null}
 */
export function findDeclaration(module, name) {
  const statements = module.program.body;
  for (const statement of statements) {
    const declared = declaredBy(statement).find((each) => each.name === name);
    if (declared) return { ...declared, module, start: statement.start };
  }
  for (const statement of statements) {
    const specifier = statement.specifiers?.find((each) => (each.exported ?? each.local).name === name);
    if (specifier) return follow(module, statement, specifier);
  }
  for (const statement of statements.filter(({ type }) => type === 'ExportAllDeclaration')) {
    const found = findDeclaration(targetOf(module, statement), name);
    if (found) return found;
  }
  return null;
}

function follow(module, { source }, specifier) {
  if (source && !isRelative(source)) return null;
  const { name } = specifier.imported ?? specifier.local;
  return findDeclaration(source ? targetOf(module, { source }) : module, name);
}

function isRelative({ value }) {
  return value.startsWith('.');
}

function targetOf({ path }, { source }) {
  if (isRelative(source)) return parseModule(join(dirname(path), source.value));
  throw new Error(`${path} exports all of ${source.value}: only files of its own package are read`);
}

/** The names that a statement declares, and the node of each. */
function declaredBy(statement) {
  const node = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
  if (node?.type === 'VariableDeclaration')
    return node.declarations.map((each) => ({ name: each.id.name, node: each }));
  return node?.id ? [{ name: node.id.name, node }] : [];
}
