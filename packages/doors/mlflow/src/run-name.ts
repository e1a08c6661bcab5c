const ADJECTIVES = [
  'amber',
  'brisk',
  'calm',
  'clear',
  'deep',
  'even',
  'fair',
  'keen',
  'level',
  'lucid',
  'quiet',
  'swift',
];
const NOUNS = [
  'anchor',
  'bay',
  'beacon',
  'current',
  'harbor',
  'keel',
  'lantern',
  'mast',
  'rudder',
  'sail',
  'tide',
  'wake',
];

/** A name for a run that its client gave none, made of its id. */
export function inventName(run: string): string {
  const digits = Number.parseInt(run.slice(-8), 16);
  const adjective = ADJECTIVES[digits % ADJECTIVES.length];
  const noun = NOUNS[Math.floor(digits / ADJECTIVES.length) % NOUNS.length];
  return `${adjective}-${noun}-${digits % 1_000}`;
}
