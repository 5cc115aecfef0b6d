import { hash } from 'node:crypto';
import type { Stretch } from './find-settings.ts';
import { isPlaceholder } from './is-placeholder.ts';

const STANDARD_WEBHOOKS = /(?<![A-Za-z0-9])whsec_([A-Za-z0-9+/]{22,344}={0,2})(?![A-Za-z0-9+/=])/g;
/** The specification asks for 24; our own settings take 16. */
const LEAST_BYTES = 16;
/** SHA-256 of the key that the specification and every library's tests sign their example with. */
const PUBLISHED = '96ad2ccd81462a766178ae09a71df55f548a3f66da11606f9cdf40b391e22dd0';

/** Keys of Standard Webhooks, as its specification writes them. */
export function* findStandardWebhooksKeys(text: string): Generator<Stretch> {
  for (const match of text.matchAll(STANDARD_WEBHOOKS)) {
    const [whole, base64 = ''] = match;
    // One that begins with a slash of base64 would pass for a path.
    const isStandIn = isPlaceholder(base64.replaceAll('/', ''));
    if (Buffer.from(base64, 'base64').length < LEAST_BYTES || isStandIn) continue;
    if (hash('sha256', whole) === PUBLISHED) continue;
    yield { start: match.index, end: match.index + whole.length, what: 'a key of Standard Webhooks' };
  }
}

/**
 * Instantly does not publish the form of its API keys. Those that people describe are the base64 of a UUID, a colon and
 * about a dozen random characters, 68 characters in all. How long the random part is we do not rely on.
 *
 * The UUID takes 48 characters whole, and after it a colon always begins with O. Looked for from every place where it could
 * begin, since a slash before it, as in a URL, is a character of base64 too.
 */
const BASE64_KEY = '[A-Za-z0-9+/]{48}O[A-Za-z0-9+/_-]{10,200}={0,2}';
/** A letter before it belongs to another word, save behind the escape of a URL or of a string (`%3D`, `\n`). */
const START = String.raw`(?:(?<![A-Za-z0-9+])|(?<=%[0-9A-Fa-f]{2}|\\[nrt]))`;
const INSTANTLY = new RegExp(`${START}(?=(?<key>${BASE64_KEY}))`, 'g');
const UUID_AND_MORE = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}:[\x21-\x7e]{7,}/i;

/** As programs that call Instantly write their key; Stripe's begin alike, and are no less secret. */
const PREFIXED = new RegExp(`${START}sk_(?:live|test)_(?<random>[A-Za-z0-9_-]{12,255})`, 'g');
/** Names of variables and functions: words with a sign between them, and no digit. */
const IDENTIFIER = /^[a-z]+(?:[_-][a-z]+)+$|^[A-Z]+(?:[_-][A-Z]+)+$/;

/** A whole stretch of base64 that may hold a key: a Kubernetes Secret or a Basic header has it so. Longer ones are files. */
const ENCODED = /(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{26,600}={0,2}(?![A-Za-z0-9+/=])/g;
const PRINTABLE = /^[\x20-\x7e\r\n]+$/;
const KEY = 'an API key of Instantly';

/** Keys as they are, and in base64 once more. */
export function* findInstantlyKeys(text: string): Generator<Stretch> {
  yield* findBareKeys(text);
  for (const { index, 0: whole } of text.matchAll(ENCODED)) {
    const decoded = Buffer.from(whole, 'base64').toString('latin1');
    if (!PRINTABLE.test(decoded) || findBareKeys(decoded).next().done === true) continue;
    yield { start: index, end: index + whole.length, what: `${KEY}, in base64` };
  }
}

function* findBareKeys(text: string): Generator<Stretch> {
  for (const { index, groups } of text.matchAll(INSTANTLY)) {
    const key = groups?.['key'] ?? '';
    if (!UUID_AND_MORE.test(Buffer.from(key, 'base64').toString('latin1'))) continue;
    yield { start: index, end: index + key.length, what: KEY };
  }
  for (const { index, 0: whole, groups } of text.matchAll(PREFIXED)) {
    const random = groups?.['random'] ?? '';
    if (isPlaceholder(random) || IDENTIFIER.test(random)) continue;
    yield { start: index, end: index + whole.length, what: `${KEY}, or one of the same form` };
  }
}

/** What secretlint's own rule for database addresses does not see: a password after the question mark. */
const POSTGRES_QUERY =
  /\bpostgres(?:ql)?:\/\/[^\s"'`<>?]{0,512}\?(?:[^\s"'`<>]{0,512}?&)?password=(?<password>[^\s"'`<>&]{1,200})/dgi;

export function* findPasswordsInQueries(text: string): Generator<Stretch> {
  for (const match of text.matchAll(POSTGRES_QUERY)) {
    const [start, end] = match.indices?.groups?.['password'] ?? [0, 0];
    if (isPlaceholder(text.slice(start, end))) continue;
    yield { start, end, what: 'a PostgreSQL URL with a password' };
  }
}
