/** Where a relative address of a note stands; only its scheme matters. */
const HERE = 'https://here.invalid';

/** Whether an address, as it stands in somebody's notes, leads to the web and nowhere else. */
export function isWeb(address: string): boolean {
  if (!URL.canParse(address, HERE)) return false;
  const { protocol } = new URL(address, HERE);
  return protocol === 'http:' || protocol === 'https:';
}
