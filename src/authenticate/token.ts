import { hash } from 'node:crypto';
import type { Secret } from '../config/secret.ts';
import { blind, firstMatch } from './compare.ts';
import { type Reason, readHeader } from './read-header.ts';

/** Judges the shared secret that the sender repeats in a header: the position from 1 of the token it equals, or why not. */
export type ReadToken = (rawHeaders: readonly string[]) => number | Reason;

/** A token that lets in, by its digest: enough to compare, and of no use to whoever reads it. */
export interface AcceptedToken {
  /** From 1; what the principal names. */
  readonly position: number;
  /** SHA-256 of its bytes. */
  readonly digest: Uint8Array;
  /** It proves nothing for now, and its sender is to try again. */
  readonly isDoubtful?: boolean;
}

/** Of a token as a header carries it. */
export function digestToken(token: string | Uint8Array): Buffer {
  return hash('sha256', token, 'buffer');
}

/** Of what a token that was itself set as `Bearer …` or `Basic …` holds, without any scheme: in an Authorization header both
 * stand for one secret. None where it names no scheme. */
export function digestsHeld(token: string): Buffer[] {
  const heldBy = (bytes: Buffer): Buffer | undefined => authorizationCandidates(bytes.toString('latin1'))[1];
  const held: Buffer[] = [];
  for (let next = heldBy(Buffer.from(token)); next !== undefined; next = heldBy(next)) held.push(next);
  return held.slice(-1).map(digestToken);
}

/** @param header lower case */
export function tokenScheme(tokens: readonly AcceptedToken[], header: string): ReadToken {
  const expected = tokens.map(({ digest }) => blind(digest));
  const candidatesIn = header === 'authorization' ? authorizationCandidates : bareCandidate;
  return (rawHeaders) => {
    const found = readHeader(rawHeaders, header);
    if (typeof found === 'string') return found;
    if (found.value === '') return 'malformed';
    const candidates = candidatesIn(found.value).map((candidate) => blind(digestToken(candidate)));
    const match = tokens[firstMatch(candidates, expected) - 1];
    if (match === undefined) return 'mismatch';
    return match.isDoubtful === true ? 'doubtful' : match.position;
  };
}

/** The same for the bearer tokens of other routes. */
export function createTokenReader(tokens: readonly Secret[], header: string): ReadToken {
  return tokenScheme(
    tokens.map((token, index) => ({ position: index + 1, digest: digestToken(token.reveal()) })),
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
  const [, scheme, credentials] = /^(bearer|basic)[ \t]+([^ \t].*)$/i.exec(value) ?? [];
  if (scheme === undefined || credentials === undefined) return bareCandidate(value);
  const presented = scheme.toLowerCase() === 'basic' ? decodeBasic(credentials) : Buffer.from(credentials, 'latin1');
  return presented === undefined ? bareCandidate(value) : [...bareCandidate(value), presented];
}

/** In either alphabet, padded or not: the secret is in the bytes, so that several texts may stand for it. */
function decodeBasic(credentials: string): Buffer | undefined {
  return /^[A-Za-z0-9+/_-]+={0,2}$/.test(credentials) ? Buffer.from(credentials, 'base64') : undefined;
}
