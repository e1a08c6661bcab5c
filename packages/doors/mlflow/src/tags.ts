import { storableText } from '@evenkeel/protocol';

/** Tags of a run as its client has them. */
export type Tags = Record<string, string>;

const MAX_TAGS = 1_000;
const MAX_KEY_LENGTH = 250;
const MAX_VALUE_LENGTH = 8_000;
/** Tags that the client sets by itself begin so. */
const OF_CLIENT = 'mlflow.';

/** Names of tags that have a place of their own in a run. */
export const TAG = {
  name: 'mlflow.runName',
  notes: 'mlflow.note.content',
  owner: 'mlflow.user',
  parent: 'mlflow.parentRunId',
} as const;

/** The tags with some set; what is too long is cut, and those beyond a thousand are left out. */
export function withTags(tags: Tags, set: readonly { key: string; value: string }[]): Tags {
  const all = new Map(Object.entries(tags));
  for (const { key, value } of set) {
    const name = storableText(key, MAX_KEY_LENGTH);
    if (all.size < MAX_TAGS || all.has(name)) all.set(name, storableText(value, MAX_VALUE_LENGTH));
  }
  return Object.fromEntries(all);
}

/** The tags that the run's page shows: what the client says of itself is left out. */
export function shownTags(tags: Tags): string[] {
  const own = Object.entries(tags).filter(([key]) => !key.startsWith(OF_CLIENT));
  return own.map(([key, value]) => (value === '' ? key : `${key}=${value}`));
}

/** Tags of the page as tags of the client: what stands behind the first `=` is the value. */
export function fromShown(shown: readonly string[]): Tags {
  return Object.fromEntries(
    shown.map((tag) => {
      const at = tag.indexOf('=', 1);
      return at < 0 ? [tag, ''] : [tag.slice(0, at), tag.slice(at + 1)];
    }),
  );
}
