/** Where to go after signing in: a path of this site and never another site, whatever the address says. */
export function nextPath(next: string | null, origin: string): string {
  if (!next?.startsWith('/') || !URL.canParse(next, origin)) return '/';
  const url = new URL(next, origin);
  const path = url.pathname + url.search;
  // Dots may have collapsed into two leading slashes, which a browser reads as another host.
  return url.origin === origin && !path.startsWith('//') ? path : '/';
}
