/**
 * Whether a request to the one address comes where the other's does: hosts differ in no letter's case, and the receiver
 * looks at no query. Somebody may have made a webhook by hand and written it in his way.
 */
export function leadsTo(target: string, url: string): boolean {
  const [theirs, ours] = [URL.parse(target), URL.parse(url)];
  return (
    theirs !== null &&
    ours !== null &&
    theirs.origin === ours.origin &&
    plainPath(theirs.pathname) === plainPath(ours.pathname)
  );
}

/** A path without the trifles that the webhook route forgives: the case of letters, doubled slashes, one at the end. */
export function plainPath(path: string): string {
  const single = path.toLowerCase().replace(/\/{2,}/g, '/');
  return single.length > 1 && single.endsWith('/') ? single.slice(0, -1) : single;
}
