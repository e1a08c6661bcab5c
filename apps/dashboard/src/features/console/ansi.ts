import Anser from 'anser';
import ansiRegex from 'ansi-regex';

/** Colors of a terminal that pages have a readable one for; a bright one is the same, and others are that of text. */
const COLORS = new Set(['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white']);

/** A part of a line in one style. */
export interface AnsiPart {
  text: string;
  /** One of a terminal's eight colors; null for the usual one. */
  color: string | null;
  /** Such as `bold` and `underline`, with spaces between them. */
  decorations: string;
}

const sequences = ansiRegex();
// biome-ignore lint/suspicious/noControlCharactersInRegex: what is left of sequences that were cut, bells, backspaces
const controls = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the sequences that choose a style
const style = /^\x1b\[[\d;]*m$/;

/** A line without escape sequences and control characters. */
export function plainText(text: string): string {
  return text.replace(sequences, '').replace(controls, '');
}

/** The parts of a line by their style. Joined, their texts are {@link plainText}. */
export function ansiParts(text: string): AnsiPart[] {
  return Anser.ansiToJson(onlyStyled(text), { json: true, use_classes: true, remove_empty: true }).map(
    ({ content, fg, decorations }) => ({ text: content, color: colorOf(fg), decorations: decorations.join(' ') }),
  );
}

/** Without all that is neither text nor chooses a style. */
function onlyStyled(text: string): string {
  const styles = (text.match(sequences) ?? []).map((sequence) => (style.test(sequence) ? sequence : ''));
  const texts = text.split(sequences).map((part) => part.replace(controls, ''));
  return texts.map((part, at) => part + (styles[at] ?? '')).join('');
}

/** `ansi-bright-red` → `red` */
function colorOf(foreground: string | null): string | null {
  const name = foreground?.split('-').at(-1);
  return name !== undefined && COLORS.has(name) ? name : null;
}
