import { open } from 'node:fs/promises';
import { type Document, isAlias, Lexer, LineCounter, Parser, parseDocument, visit } from 'yaml';
import { UsageError } from '../usage-error.ts';

/** The max size of a file of settings. */
const MAX_BYTES = 256 * 1024;
/** Max nesting of lists and mappings; a study needs four. */
const MAX_DEPTH = 32;
const MAX_ALIASES = 1_000;
/** Max nodes that the aliases of one anchor expand to; a few nested ones can expand to billions. */
const MAX_ALIASED = 100;

/**
 * Reads the one document of a YAML file, or of a JSON file, which is YAML too.
 * @throws UsageError naming the file, and the line where it is not valid: `study.yaml, line 3: …`.
 */
export async function readYaml(path: string): Promise<unknown> {
  return parseYaml(path, await readText(path));
}

/**
 * The value of a YAML document.
 * @throws UsageError naming the file and the line
 */
export function parseYaml(path: string, text: string): unknown {
  const lines = new LineCounter();
  const refuse = (offset: number, problem: string) => {
    throw new UsageError(`${path}, line ${Math.max(1, lines.linePos(offset).line)}: ${problem}`);
  };
  const tooDeep = offsetOfDepth(text, lines);
  if (tooDeep !== null) return refuse(tooDeep, `lists and mappings are nested more than ${MAX_DEPTH} deep`);
  const document = parseDocument(text, { prettyErrors: false, stringKeys: true });
  // An unknown tag is only a warning, but then the value is not what its writer meant.
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) return refuse(problem.pos[0], problem.message);
  const aliases = aliasesOf(document);
  const unknown = aliases.find(({ isKnown }) => !isKnown);
  if (unknown) return refuse(unknown.offset, `the alias *${unknown.name} refers to nothing before it`);
  const [first, tooMany] = [aliases[0]?.offset ?? 0, aliases[MAX_ALIASES]];
  if (tooMany) return refuse(tooMany.offset, `more than ${MAX_ALIASES} aliases`);
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASED });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    return refuse(first, 'the aliases from here on expand to too much');
  }
}

async function readText(path: string): Promise<string> {
  try {
    await using file = await open(path);
    const bytes = Buffer.alloc(MAX_BYTES + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      ({ bytesRead: read } = await file.read(bytes, length, bytes.length - length));
    if (length > MAX_BYTES) throw new UsageError(`${path}: is larger than 256 KiB, the max size of a file of settings`);
    return bytes.toString('utf8', 0, length);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(code === 'ENOENT' ? `there is no ${path}` : `${path}: ${message}`);
  }
}

/** The offset from which a document is nested too deep for a recursive parser, or null. Also counts its lines. */
function offsetOfDepth(text: string, lines: LineCounter): number | null {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let tooDeep: number | null = null;
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme)); // only the depth of its stack matters here
    if (parser.stack.length > MAX_DEPTH) tooDeep ??= parser.offset;
    if (tooDeep !== null) break;
  }
  return tooDeep;
}

interface FoundAlias {
  offset: number;
  name: string;
  /** Whether its anchor comes before it, and does not contain it. */
  isKnown: boolean;
}

function aliasesOf(document: Document): FoundAlias[] {
  const anchors = new Set<string>();
  const found: FoundAlias[] = [];
  visit(document, {
    Node: (_, node, parents) => {
      if (isAlias(node)) {
        const { source: name } = node;
        const isWithin = parents.some((parent) => 'anchor' in parent && parent.anchor === name);
        found.push({ offset: node.range?.[0] ?? 0, name, isKnown: anchors.has(name) && !isWithin });
      } else if ('anchor' in node && typeof node.anchor === 'string') anchors.add(node.anchor);
    },
  });
  return found;
}
