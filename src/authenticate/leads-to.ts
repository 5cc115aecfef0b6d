/**
 * Whether a request to the one address comes where the other's does: hosts differ in no letter's case, and the receiver
 * looks at no query. Somebody may have made a webhook by hand and written it in his way.
 */
export function leadsTo(target: string, url: string): boolean {
  const [theirs, ours] = [URL.parse(target), URL.parse(url)];
  return theirs !== null && ours !== null && theirs.origin === ours.origin && theirs.pathname === ours.pathname;
}
