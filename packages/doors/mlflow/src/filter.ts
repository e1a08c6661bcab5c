import { MlflowError } from './error.ts';

/** What of a run a search looks at. */
interface Subject {
  kind: 'metric' | 'param' | 'tag' | 'attribute';
  name: string;
}

/** One comparison of a search. */
export interface Condition {
  subject: Subject;
  operator: string;
  value: string | number | readonly string[];
}

/** What a run, or a project, has of a subject; null where it has nothing. */
export type Facts = (subject: Subject) => string | number | null;

const KINDS = new Map<string, Subject['kind']>([
  ...['metric', 'metrics'].map((word) => [word, 'metric'] as const),
  ...['param', 'params', 'parameter', 'parameters'].map((word) => [word, 'param'] as const),
  ...['tag', 'tags'].map((word) => [word, 'tag'] as const),
  ...['attr', 'attribute', 'attributes', 'run'].map((word) => [word, 'attribute'] as const),
]);
const QUOTED = /`[^`]*`|"[^"]*"|'[^']*'/.source;
const TOKEN = new RegExp(`\\s*(${QUOTED}|<=|>=|!=|[<>=(),]|(?:[^\\s<>=!(),'"\`]|(?<=\\.)(?:${QUOTED}))+)`, 'y');
const OPERATORS = new Set(['=', '!=', '<', '<=', '>', '>=', 'like', 'ilike', 'in']);

/**
 * Reads a filter such as `metrics.loss < 1 and params.lr = '0.1'`.
 * @throws MlflowError naming what cannot be read.
 */
export function parseFilter(text: string): Condition[] {
  const tokens = tokensOf(text).reverse(); // taken from the end, as from the front each would move all others
  const conditions: Condition[] = [];
  while (tokens.length > 0) {
    if (conditions.length > 0 && tokens.pop()?.toLowerCase() !== 'and') throw unreadable(text, 'expected "and"');
    conditions.push(parseCondition(tokens, text));
  }
  return conditions;
}

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  const rest = text.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < rest.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(rest)?.[1];
    if (token === undefined) throw unreadable(text, `nothing is known that begins as "${rest.slice(at, at + 20)}"`);
    tokens.push(token);
  }
  return tokens;
}

function parseCondition(tokens: string[], text: string): Condition {
  const [left = '', operator = ''] = [tokens.pop(), tokens.pop()];
  const subject = parseSubject(left);
  const known = operator.toLowerCase();
  if (!OPERATORS.has(known)) throw unreadable(text, `"${operator}" is no operator`);
  const value = known === 'in' ? parseList(tokens, text) : parseValue(tokens.pop(), text);
  if (subject.kind === 'metric' && typeof value !== 'number')
    throw unreadable(text, `${left} is compared with a number`);
  return { subject, operator: known, value };
}

/** `metrics.loss`, `` tags.`a b` ``, or the name of an attribute alone. */
function parseSubject(text: string): Subject {
  const dot = text.indexOf('.');
  const kind = KINDS.get(text.slice(0, Math.max(0, dot)).toLowerCase());
  if (kind === undefined) return { kind: 'attribute', name: unquoted(text) };
  return { kind, name: unquoted(text.slice(dot + 1)) };
}

function unquoted(text: string): string {
  return /^(`.*`|".*"|'.*')$/s.test(text) ? text.slice(1, -1) : text;
}

function parseValue(token: string | undefined, text: string): string | number {
  if (token === undefined) throw unreadable(text, 'a value is missing');
  if (/^["']/.test(token)) return token.slice(1, -1);
  const number = Number(token);
  if (Number.isNaN(number)) throw unreadable(text, `"${token}" is no number, and text stands in quotes`);
  return number;
}

function parseList(tokens: string[], text: string): string[] {
  const values: string[] = [];
  if (tokens.pop() !== '(') throw unreadable(text, 'after "in" stands a list in parentheses');
  for (let separator: string | undefined = ','; separator === ','; ) {
    values.push(String(parseValue(tokens.pop(), text)));
    separator = tokens.pop();
    if (separator !== ',' && separator !== ')') throw unreadable(text, 'the list of "in" does not end');
  }
  return values;
}

function unreadable(text: string, problem: string): MlflowError {
  return new MlflowError('INVALID_PARAMETER_VALUE', `the filter "${text.slice(0, 200)}" cannot be read: ${problem}`);
}

/** Whether all conditions hold. What is absent meets none but `!=`. */
export function meets(conditions: readonly Condition[], facts: Facts): boolean {
  return conditions.every(({ subject, operator, value }) => {
    const found = facts(subject);
    if (found === null) return operator === '!=';
    if (typeof value === 'object') return value.includes(String(found));
    if (typeof value === 'number') return compare(Number(found), operator, value);
    if (operator === 'like') return isLike(String(found), value);
    if (operator === 'ilike') return isLike(String(found).toLowerCase(), value.toLowerCase());
    return compare(String(found), operator, value);
  });
}

function compare<Value extends string | number>(found: Value, operator: string, value: Value): boolean {
  switch (operator) {
    case '=':
      return found === value;
    case '!=':
      return found !== value;
    case '<':
      return found < value;
    case '<=':
      return found <= value;
    case '>':
      return found > value;
    case '>=':
      return found >= value;
    default:
      return false; // "like" of a number
  }
}

/**
 * Whether text is as a pattern says, in which `%` stands for any text and `_` for one character. By hand, since a regular
 * expression of many wildcards takes time without end.
 */
function isLike(text: string, like: string): boolean {
  let [at, place] = [0, 0];
  let wildcard: { at: number; place: number } | null = null;
  while (at < text.length) {
    if (like[place] === '%') {
      wildcard = { at, place };
      place += 1;
    } else if (like[place] === '_' || like[place] === text[at]) {
      at += 1;
      place += 1;
    } else if (wildcard) {
      wildcard.at += 1; // the last wildcard stands for one character more
      at = wildcard.at;
      place = wildcard.place + 1;
    } else return false;
  }
  return /^%*$/.test(like.slice(place));
}

/** One key of an order. */
export interface OrderKey {
  subject: Subject;
  isDescending: boolean;
}

/** Reads `metrics.loss DESC`. */
export function parseOrder(text: string): OrderKey {
  const order = text.trim();
  const direction = /\s(asc|desc)$/i.exec(order);
  const subject = order.slice(0, direction?.index).trimEnd();
  return { subject: parseSubject(subject), isDescending: direction?.[1]?.toLowerCase() === 'desc' };
}

/** What a run has of each key of an order. */
export type OrderValues = readonly (string | number | null)[];

/** Compares two runs; what is absent, or NaN, comes last. */
export function inOrder(keys: readonly OrderKey[], a: OrderValues, b: OrderValues): number {
  for (const [at, { isDescending }] of keys.entries()) {
    const order = compareValues(a[at] ?? null, b[at] ?? null, isDescending);
    if (order !== 0) return order;
  }
  return 0;
}

function compareValues(a: string | number | null, b: string | number | null, isDescending: boolean): number {
  const [isAKnown, isBKnown] = [isKnown(a), isKnown(b)];
  if (!isAKnown || !isBKnown) return Number(isBKnown) - Number(isAKnown);
  if (a === b) return 0;
  return (a as string) < (b as string) === isDescending ? 1 : -1;
}

function isKnown(value: string | number | null): boolean {
  return value !== null && !Number.isNaN(value);
}
