/** The target of a request: the path that is judged is the path that is served. */
export interface Target {
  /** Starts with one slash, as a URL parser leaves it, so that no parser behind this one reads another path. */
  path: string;
  /** From the question mark on, or empty. */
  search: string;
}

/** A path that is percent-encoded more often than this is refused: a name that holds "%25" is encoded twice. */
const MAX_ENCODINGS = 4;

/** Parses the target of a request line, or returns the problem as a sentence for the sender. */
export function parseTarget(raw: string): Target | { problem: string } {
  if (!raw.startsWith('/')) return { problem: 'The path of a request starts with one slash.' };
  if (!/^[!-~]*$/.test(raw) || raw.includes('#')) {
    return { problem: 'The address of a request is printable ASCII without "#".' };
  }
  const end = raw.indexOf('?');
  const path = end === -1 ? raw : raw.slice(0, end);
  const problem = pathProblem(path);
  if (problem) return { problem };
  const { pathname, search } = new URL(`http://server${normalizeEncoding(path)}${raw.slice(path.length)}`);
  return { path: pathname, search };
}

function pathProblem(path: string): string | null {
  if (path.includes('//') || path.includes('\\')) return 'The path of a request has no "//" and no "\\" in it.';
  let text = path;
  for (let encodings = 0; encodings <= MAX_ENCODINGS; encodings++) {
    if (/\p{Cc}/u.test(text)) return 'The path of a request has no control characters in it.';
    if (/(?:^|[\\/])\.{1,2}(?:[\\/]|$)/.test(text)) return 'The path of a request has no "." or ".." segment.';
    const decoded = decode(text);
    if (decoded === null && encodings === 0) return 'The path of a request is percent-encoded UTF-8.';
    if (decoded === null || decoded === text) return null;
    text = decoded;
  }
  return 'The path of a request is percent-encoded too many times.';
}

/** Null where a percent sign starts no character. */
function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** One spelling per path: letters, digits and `-._~` as they are (RFC 3986, 6.2.2). */
function normalizeEncoding(path: string): string {
  return path.replace(/%[\da-f]{2}/gi, (code) => {
    const character = String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return /[\w.~-]/.test(character) ? character : code.toUpperCase();
  });
}
