const CREDENTIAL = '[masked]';

/** In this order: an address inside a longer token is still told as an address. The first also takes user and password of a URL. */
const MASKS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/[^\s@<>"(),:;]+(?:@|%40)[^\s@<>"(),:;]+/gi, '[address]'],
  [/\b(bearer|basic)\s+[^\s"',;]+/gi, `$1 ${CREDENTIAL}`],
  [
    /\b([\w-]*(?:key|token|secret|password|passwd|authorization|signature)["']?\s*[=:]\s*["']?)[^\s"',;&]+/gi,
    `$1${CREDENTIAL}`,
  ],
];

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const LONG_RUN = /[A-Za-z0-9+_=-]{20,}/g;

/**
 * Takes out of a text what looks like an address, a credential or a long random token. UUIDs stay: they name an event or
 * a campaign, and a trace without them leads nowhere. It is a net, not a wall: free text may hold what no pattern knows.
 */
export function maskText(text: string): string {
  let masked = text;
  for (const [pattern, replacement] of MASKS) masked = masked.replace(pattern, replacement);
  return masked.replace(LONG_RUN, (run) => (looksRandom(run) ? CREDENTIAL : run));
}

/** Long words and constants have no digits among their letters. */
function looksRandom(run: string): boolean {
  return !UUID.test(run) && /\d/.test(run) && /[A-Za-z]/.test(run);
}
