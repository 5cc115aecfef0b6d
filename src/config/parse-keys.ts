import { findSecretSlip } from './find-slip.ts';
import { fault, type Parsed } from './parsed.ts';
import { Secret } from './secret.ts';
import { type SignatureScheme, schemeFacts } from './signature-schemes.ts';

const MIN_CHARACTERS = 16;
/** What fits a request header beside everything else in it. */
const MAX_CHARACTERS = 1024;
/** Every key is tried on every request. */
const MAX_KEYS = 16;
const MIN_STANDARD_WEBHOOKS_BYTES = 16;

/**
 * A comma-separated list of keys, each trimmed. Faults name positions, never a key.
 *
 * @param text not empty
 */
export function parseKeys(text: string): Parsed<readonly Secret[]> {
  const keys = text.split(',').map((key) => key.trim());
  if (keys.length > MAX_KEYS) return fault(`must hold at most ${MAX_KEYS} keys, and holds ${keys.length}`);
  const faults: string[] = [];
  keys.forEach((key, index) => {
    const mistake = findMistake(key);
    if (mistake !== undefined) faults.push(`has a key${position(index, keys.length)} that ${mistake}`);
    const first = keys.indexOf(key);
    if (first < index && key !== '') {
      faults.push(`has the same key at positions ${first + 1} and ${index + 1}; take one of them out`);
    }
  });
  return faults.length === 0 ? { value: keys.map((key) => new Secret(key)) } : { faults };
}

function findMistake(key: string): string | undefined {
  if (key === '') return 'is empty; take the spare comma out';
  if (/[\r\n]/.test(key)) return 'holds a line break or another control character; separate keys with commas';
  const slip = findSecretSlip(key);
  if (slip !== undefined) return slip;
  // Counted in UTF-16 units, as an operator's tools count; for the ASCII that keys are made of, all counts agree.
  if (key.length < MIN_CHARACTERS) {
    return `is shorter than ${MIN_CHARACTERS} characters; make a new one with the command "secrets new"`;
  }
  if (key.length > MAX_CHARACTERS) return `is longer than ${MAX_CHARACTERS} characters; separate keys with commas`;
  if (/\p{Cc}/u.test(key)) return 'holds a line break or another control character; separate keys with commas';
  return undefined;
}

/** What is wrong with these keys under a scheme; one that takes keys of Standard Webhooks takes them as its specification writes them. */
export function findUnfitKeys(keys: readonly Secret[], scheme: SignatureScheme): string[] {
  if (!schemeFacts(scheme).whsecKeys) return [];
  return keys.flatMap((key, index) =>
    isStandardWebhooksKey(key.reveal())
      ? []
      : [
          `has a key${position(index, keys.length)} that does not fit INSTANTLY_SIGNATURE_SCHEME=${scheme}: it must be whsec_ followed by the base64 of at least ${MIN_STANDARD_WEBHOOKS_BYTES} bytes; make one with "secrets new --kind signature --scheme ${scheme}"`,
        ],
  );
}

function isStandardWebhooksKey(key: string): boolean {
  if (!key.startsWith('whsec_')) return false;
  const base64 = key.slice('whsec_'.length);
  const bytes = Buffer.from(base64, 'base64');
  // Buffer skips what is not base64; only text that comes back the same was whole and padded.
  return bytes.length >= MIN_STANDARD_WEBHOOKS_BYTES && bytes.toString('base64') === base64;
}

function position(index: number, count: number): string {
  return count === 1 ? '' : ` at position ${index + 1} of ${count}`;
}

/** One token for `Authorization: Bearer …`, or an API key. */
export function parseBearerToken(text: string): Parsed<Secret> {
  if (/^bearer\s/i.test(text)) return fault('begins with Bearer, which is no part of it; keep what follows');
  if (text.length > MAX_CHARACTERS) return fault(`must not be longer than ${MAX_CHARACTERS} characters`);
  if (!/^[\x21-\x7e]+$/.test(text)) {
    return fault('must be visible ASCII characters without white space, because a header carries it');
  }
  return { value: new Secret(text) };
}

/** A secret of one line that is no list. White space around it counts within double quotes alone: releases that took a file as it
 * stands have sealed entries with it. */
export function parseOneSecret(text: string): Parsed<Secret> {
  if (text.trim() === '') return fault('is empty');
  if (/[\r\n]/.test(text)) return fault('must be one line');
  return { value: new Secret(/^"(\s.*|.*\s)"$/.exec(text)?.[1] ?? text) };
}

/** Whether a secret is so short that it can be guessed by trying. */
export function isShortSecret(secret: Secret): boolean {
  return secret.reveal().length < MIN_CHARACTERS;
}
