/** A token is a byte, or a piece of GPT-2's byte pair encoding. */
export const TOKENIZERS = ['bytes', 'gpt2'] as const;
export type TokenizerName = (typeof TOKENIZERS)[number];

/** Sizes of the vocabularies. */
export const VOCABULARIES = { bytes: 256, gpt2: 50_257 } as const satisfies Record<TokenizerName, number>;

/** GPT-2's token between two documents. */
export const END_OF_TEXT = 50_256;

/** The library's time grows with the square of the length of a run without a border; longer runs are cut. */
const LONGEST_RUN = 1024;
const LONG_RUNS = new RegExp(runOf(LONGEST_RUN), 'gu');
/** Searching for long runs at every character would take longer than encoding; each long run spans such a stride. */
const STRIDE = LONGEST_RUN / 2; // in code units, of which a character has one or two
const STRIDE_OF_A_RUN = new RegExp(runOf(STRIDE / 2), 'uy');
/** Everything up to the last border: before a space that follows none, and where letters or digits end. */
const UP_TO_BORDER = /^.*(?:\S(?=\s)|\p{L}(?=\P{L})|\p{N}(?=\P{N}))/su;
/**
 * The library caches words as slices, which keep the part that they were cut from, and its search for the oldest gets
 * slower. So the cache is cleared after so many parts: measured on parts of 128 KiB, 4 cost nothing on prose, and are
 * four times as fast as 32 where no word repeats.
 */
const PARTS_REMEMBERED = 4;

/**
 * GPT-2's tokens of a text that comes in parts, however long it is. They are those of the whole text encoded at once
 * where it has no run of 1024 letters, digits, spaces or other signs; of such a run each 1024 are encoded alone.
 *
 * Why parts may be cut at the borders above: GPT-2 first splits a text into words, from left to right. A word is
 * letters, digits or other signs, perhaps with one space before them, or it is an apostrophe with letters, or spaces.
 * So one always ends at a border. And only a word of spaces depends on what comes after it.
 *
 * What looks like a special token is encoded as text.
 */
export async function* encodeGpt2(parts: AsyncIterable<string>): AsyncGenerator<number[]> {
  const { encode, clearMergeCache } = await import('gpt-tokenizer/encoding/gpt2'); // 0.6 MB of merges
  const asPlainText = { disallowedSpecial: new Set<string>() };
  let rest = '';
  let count = 0;
  for await (const part of parts) {
    rest += part;
    const end = borderOf(rest);
    for (const piece of piecesOf(rest.slice(0, end))) yield encode(piece, asPlainText);
    rest = rest.slice(end);
    if (++count % PARTS_REMEMBERED === 0) clearMergeCache();
  }
  for (const piece of piecesOf(rest)) yield encode(piece, asPlainText);
}

function runOf(length: number): string {
  return ['\\p{L}', '\\p{N}', '\\s', '[^\\s\\p{L}\\p{N}]'].map((kind) => `${kind}{${length}}`).join('|');
}

/** Where the last word that is surely complete ends: 0 where there is none. */
function borderOf(text: string): number {
  return UP_TO_BORDER.exec(text)?.[0].length ?? endsOfLongRuns(text).at(-1) ?? 0;
}

/** The text, cut where a run gets too long. */
function* piecesOf(text: string): Generator<string> {
  let start = 0;
  for (const end of endsOfLongRuns(text)) {
    yield text.slice(start, end);
    start = end;
  }
  if (start < text.length) yield text.slice(start);
}

function endsOfLongRuns(text: string): number[] {
  for (let at = 0; at < text.length; at += STRIDE) {
    STRIDE_OF_A_RUN.lastIndex = at;
    if (STRIDE_OF_A_RUN.test(text)) return [...text.matchAll(LONG_RUNS)].map((run) => run.index + run[0].length);
  }
  return [];
}
