import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

// Holds all tracked text to the words of docs/glossary.md: pages, help texts, docs, comments, test names, identifiers.

/** What is no text of ours, or is data. */
const IGNORED: readonly [files: RegExp, reason: string][] = [
  [/\.(png|bin|gz|jsonl)$/, 'data'],
  [/(^|\/)(fixtures|recordings)\//, 'data, part of it written by older versions'],
  [/^packages\/db\/migrations\//, 'a migration never changes once it is released'],
  [/^docs\/api\//, 'generated from sources that are checked'],
  [/^(LICENSE|package-lock\.json)$/, 'written by others'],
  [/^scripts\/words\.test\.ts$/, 'quotes every word'],
];

/** Lines that quote a word, or that read data of older versions. */
const ALLOWED: readonly [file: string, line: RegExp, reason: string][] = [
  ['docs/glossary.md', /^\|[^|]*\|[^|]*\|$/, 'its one table of two columns lists the words that we do not write'],
  ['packages/db/src/migration.test.ts', /\bheard_at\b/, 'a column of an older schema'],
  ['packages/ingest/src/former-database.test.ts', /\bheardAt\b/, 'a field of answers that an older version recorded'],
  ['packages/trainer/src/checkpoint.ts', /\boptimiser\b/, 'a setting in checkpoints of older versions'],
  ['packages/trainer/src/checkpoint.test.ts', /\boptimiser\b/, 'a setting in checkpoints of older versions'],
];

const BRITISH_ISE =
  'capital categor character custom factor final general initial local maxim memor minim normal optim organ parallel prior quant random real recogn regular serial special stabil standard summar synchron token util vector visual';

/** A word that we do not write, and what we write instead. */
interface Word {
  pattern: RegExp;
  instead: string;
  /** Seen in the line as it is; else in words, as an identifier is cut into. */
  verbatim?: true;
}

const WORDS: readonly Word[] = [
  { pattern: /\b(tell|tells|told|telling|let (you|us|them) know)\b/i, instead: 'log, send, report, record' },
  { pattern: /\b(hear|hears|heard)\b/i, instead: 'receive, last seen' },
  { pattern: /\banew\b/i, instead: 'again, rebuild, recompute' },
  { pattern: /\bput(s|ting)?( \w+){0,2} away\b/i, instead: 'archive' },
  { pattern: /\bstays? shut\b|\blimit of what\b/i, instead: 'cooldown, threshold, window' },
  { pattern: /\b(insist(s|ed)?|patience)\b/i, instead: 'retry, retry policy, timeout' },
  { pattern: /\btaken in\b/i, instead: 'merge, process' },
  { pattern: /(?<!\b(at|not) )\bleast\b(?!\(| squares\b)/i, instead: 'min, minimum, lowest' },
  {
    pattern: /\bMOST_|_MOST\b|\bmost[A-Z]|(?<=[a-z])(?<!at)Most(?![a-z])|\.(most|reach)\b|\breachO/,
    instead: 'max, range',
    verbatim: true,
  },
  { pattern: /\bleft ?overs?\b/i, instead: 'superseded, stale, remaining' },
  { pattern: /\bwithout (a )?word\b/i, instead: 'lost contact' },
  { pattern: /\bwhat\b[^.;]{0,30} came to\b|\bcame to nothing\b/i, instead: 'final results, result' },
  { pattern: /\bpays from\b/i, instead: 'is faster above' },
  { pattern: /\bno slack\b/i, instead: 'little margin' },
  { pattern: /\bfor ever\b/i, instead: 'forever' },
  { pattern: /\bhelm\b/i, instead: 'CommandHandler' },
  { pattern: /\bheir\b/i, instead: 'nextFocus' },
  { pattern: /\bsteady list\b/i, instead: 'StableList' },
  { pattern: /\bmay watch\b/i, instead: 'isAuthorized' },
  { pattern: /\bwhile in view\b/i, instead: 'observeVisibility' },
  { pattern: /\bretold\b/i, instead: 'AttemptReplay' },
  { pattern: /(?<!\b(of|the) )\bcourse\b/i, instead: 'sparkline' },
  {
    pattern: new RegExp(`\\b(${BRITISH_ISE.replaceAll(' ', '|')})is(e|ed|er|ers|es|ing|ation|ations)\\b`, 'i'),
    instead: 'the American -ize',
  },
  { pattern: /\b(behavi|col|fav|harb|hon|lab|neighb)our/i, instead: 'the American -or' },
  {
    pattern: /\b(analys(e|ed|er|ing)|artefacts?|catalogues?|centred?|centres|gr[e]ys?|licences?)\b/i,
    instead: 'analyze, artifact, catalog, center, gray, license',
  },
  { pattern: /\b(label|model|signal|travel)l(ed|ing)\b/i, instead: 'the American single l' },
  { pattern: /\blearnt\b/i, instead: 'learned' },
];

interface Place {
  file: string;
  /** From 1; 0 for the file's own name. */
  line: number;
  text: string;
}

/** The words of a line, those within identifiers and file names too: `colourOf` is "colour Of". */
function inWords(text: string): string {
  return text.replaceAll(/(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, ' ').replaceAll(/[_-]/g, ' ');
}

function problemsOf({ file, line, text }: Place): string[] {
  if (ALLOWED.some(([allowed, quotes]) => file === allowed && quotes.test(text))) return [];
  const words = inWords(text);
  return WORDS.flatMap(({ pattern, instead, verbatim }) => {
    const found = pattern.exec(verbatim ? text : words);
    return found ? [`${file}:${line} has "${found[0]}": write ${instead}`] : [];
  });
}

function placesOf(file: string, content: string): Place[] {
  const lines = content.split('\n').map((text, at) => ({ file, line: at + 1, text }));
  return [{ file, line: 0, text: file }, ...lines];
}

const root = join(import.meta.dirname, '..');
const tracked = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
});

const problems = tracked
  .split('\0')
  .filter((file) => file !== '' && existsSync(join(root, file)) && !IGNORED.some(([files]) => files.test(file)))
  .flatMap((file) => placesOf(file, readFileSync(join(root, file), 'utf8')))
  .flatMap(problemsOf);

test('no text has a word that we do not write', () => {
  expect(problems).toEqual([]);
});

describe('finds', () => {
  const find = (text: string) => problemsOf({ file: 'planted.ts', line: 1, text });

  test.each([
    'splits them anew',
    'runs that were put away',
    'const optimiser = new Optimiser();',
    'runColour(id)',
    'RUN_COLOUR',
    'run-colour.ts',
    'heardAt: now',
    'what the server is told',
    'const MOST_PENDING = 10_000;',
    'range.most',
    'rangeMost(run)',
    'from its least to its greatest',
    'useCourse(run)',
    'resolveLeftOvers()',
    'a grey line',
    'isLabelled',
    'normalise(text)',
  ])('%s', (text) => expect(find(text)).toHaveLength(1));

  test.each([
    'at least one, at most two',
    'of course',
    'aria-labelledby="title"',
    'optimizer, color',
    'a precise promise',
    'steps taken into account',
    'realistic',
    'the course of the loss',
    'least(step.time, excluded.time)',
    'the least-squares slope',
    'Most of a step',
  ])('nothing in %s', (text) => expect(find(text)).toEqual([]));

  test('a word in the name of a file', () => {
    expect(placesOf('src/helm.ts', '').flatMap(problemsOf)).toEqual(['src/helm.ts:0 has "helm": write CommandHandler']);
  });
});
