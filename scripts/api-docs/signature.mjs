// What an export looks like to its user: its declaration without what is private, and without the bodies of functions.
import { Visitor } from 'oxc-parser';

/** Longer values are cut: they are data. */
const MAX_VALUE_LINES = 40;

/** @param {import('./modules.mjs').Declaration} declaration */
export function signatureOf({ module, node }) {
  return withoutDirectives(render(module, node)).replaceAll(/\{@link(?:code)? ([^}]+)\}/g, '$1');
}

/** The text of the docstring before a statement; null where there is none. @returns {string | null} */
export function docstringBefore(module, start) {
  const text = docCommentBefore(module, start)
    ?.slice(1)
    .replaceAll(/^ *\* ?/gm, '')
    .trim();
  return text || null;
}

/** As it is in the source, without its delimiters. */
function docCommentBefore({ source, comments }, start) {
  const comment = comments.findLast(({ end }) => end <= start);
  if (!comment || source.slice(comment.end, start).trim() !== '') return null;
  if (isDirective(comment)) return docCommentBefore({ source, comments }, comment.start);
  return comment.type === 'Block' && comment.value.startsWith('*') ? comment.value : null;
}

function isDirective({ type, value }) {
  return type === 'Line' && value.startsWith(' biome-ignore ');
}

function render(module, node) {
  const { source } = module;
  switch (node.type) {
    case 'VariableDeclarator':
      return renderValue(module, node);
    case 'FunctionDeclaration':
      return `${source.slice(node.start, node.body.start).trim()};`;
    case 'ClassDeclaration':
      return renderClass(module, node);
    default:
      return source.slice(node.start, node.end).replace(/^declare /, '');
  }
}

function renderValue(module, { id, init }) {
  const { source } = module;
  const name = `const ${source.slice(id.start, id.end)}`;
  if (id.typeAnnotation && !isShort(source, init)) return `${name};`;
  const lines = `${name} = ${textOf(module, init)};`.split('\n');
  return lines.length > MAX_VALUE_LINES ? [...lines.slice(0, MAX_VALUE_LINES), '  // …'].join('\n') : lines.join('\n');
}

function isShort(source, { start, end }) {
  return !source.slice(start, end).includes('\n');
}

/** The source of an expression with `{ … }` for the body of each function in it. */
export function textOf({ source }, value) {
  const bodies = [];
  const visit = ({ body }) => {
    const isInner = bodies.some(({ end }) => body.start < end);
    if (body.type === 'BlockStatement' && !isInner) bodies.push(body);
  };
  new Visitor({ ArrowFunctionExpression: visit, FunctionExpression: visit }).visit({
    type: 'Program',
    body: [{ type: 'ExpressionStatement', expression: value }],
  });
  let text = '';
  let at = value.start;
  for (const { start, end } of bodies) {
    text += `${source.slice(at, start)}{ … }`;
    at = end;
  }
  return text + source.slice(at, value.end);
}

function renderClass(module, node) {
  const members = node.body.body.filter(isPublic).map((member) => {
    const comment = docCommentBefore(module, member.start);
    const lead = comment === null ? '' : `  /*${comment}*/\n`;
    return `${lead}  ${renderMember(module.source, member)};`;
  });
  return [`${module.source.slice(node.start, node.body.start).trim()} {`, ...members, '}'].join('\n');
}

function isPublic({ type, accessibility, key }) {
  const isHidden = accessibility === 'private' || accessibility === 'protected' || key?.type === 'PrivateIdentifier';
  return type !== 'StaticBlock' && !isHidden;
}

function renderMember(source, { start, end, type, value, typeAnnotation }) {
  if (type === 'MethodDefinition') return source.slice(start, value.body?.start ?? end).trim();
  const text = source.slice(start, typeAnnotation ? typeAnnotation.end : end).trim();
  return text.replace(/;$/, '');
}

/** Directives to the linter say nothing to a reader. */
function withoutDirectives(text) {
  return text.replaceAll(/^\s*\/\/ biome-ignore .*\n/gm, '');
}
