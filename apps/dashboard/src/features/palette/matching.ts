/** Whether each word that is typed begins a word of a name. */
export function isNamed(name: string, typed: string): boolean {
  const words = wordsOf(name);
  return wordsOf(typed).every((start) => words.some((word) => word.startsWith(start)));
}

/**
 * Whether the rules of a project are asked for. Its name alone does not: runs of that project are meant more often, and
 * what is found at once would be chosen before them.
 */
export function asksForRules(typed: string): boolean {
  const [first] = wordsOf(typed);
  return first === undefined || 'rules'.startsWith(first);
}

/** Whether what is typed is a part of one of the texts, as the server searches runs. */
export function isMentioned(texts: readonly (string | null)[], typed: string): boolean {
  const part = typed.trim().toLowerCase();
  return texts.some((text) => text?.toLowerCase().includes(part));
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}
