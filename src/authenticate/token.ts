import type { Secret } from '../config/secret.ts';
import { blind, firstMatch } from './compare.ts';
import { decodeBase64 } from './decode-base64.ts';
import { type Reason, readHeader } from './read-header.ts';

/** Judges the shared secret that the sender repeats in a header: the position from 1 of the token it equals, or why not. */
export type ReadToken = (rawHeaders: readonly string[]) => number | Reason;

/** @param header lower case */
export function tokenScheme(tokens: readonly Uint8Array[], header: string): ReadToken {
  const expected = tokens.map(blind);
  const candidatesIn = header === 'authorization' ? authorizationCandidates : bareCandidate;
  return (rawHeaders) => {
    const found = readHeader(rawHeaders, header);
    if (typeof found === 'string') return found;
    if (found.value === '') return 'malformed';
    const position = firstMatch(candidatesIn(found.value).map(blind), expected);
    return position === 0 ? 'mismatch' : position;
  };
}

/** The same for the bearer tokens of other routes. */
export function createTokenReader(tokens: readonly Secret[], header: string): ReadToken {
  return tokenScheme(
    tokens.map((token) => Buffer.from(token.reveal())),
    header,
  );
}

/** Node gives each byte of a header as one character; this gives the bytes back. */
function bareCandidate(value: string): Buffer[] {
  return [Buffer.from(value, 'latin1')];
}

/** What an Authorization header may carry the token as. The value as it stands is always one of them, so that a token
 * which was itself set as `Bearer …` is found too. */
function authorizationCandidates(value: string): Buffer[] {
  const [, scheme, credentials] = /^(bearer|basic) +([^ ].*)$/i.exec(value) ?? [];
  if (scheme === undefined || credentials === undefined) return bareCandidate(value);
  const presented = scheme.toLowerCase() === 'basic' ? decodeBase64(credentials) : Buffer.from(credentials, 'latin1');
  return presented === undefined ? bareCandidate(value) : [...bareCandidate(value), presented];
}
