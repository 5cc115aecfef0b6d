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
const INSTANTLY = /(?<![A-Za-z0-9+])(?=(?<key>[A-Za-z0-9+/]{48}O[A-Za-z0-9+/]{10,200}={0,2}))/g;
const UUID_AND_MORE = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}:[\x21-\x7e]{7,}/i;

export function* findInstantlyKeys(text: string): Generator<Stretch> {
  for (const { index, groups } of text.matchAll(INSTANTLY)) {
    const key = groups?.['key'] ?? '';
    if (!UUID_AND_MORE.test(Buffer.from(key, 'base64').toString('latin1'))) continue;
    yield { start: index, end: index + key.length, what: 'an API key of Instantly' };
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
