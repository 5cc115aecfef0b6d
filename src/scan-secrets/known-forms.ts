import type { Secret } from '../config/secret.ts';
import { isPlaceholder } from './is-placeholder.ts';

/** Shorter ones stand in many a text by chance. */
const LEAST = 8;
/** From here on it is searched for even where it looks like a word of documentation. */
const STRONG = 16;

/**
 * The texts by which a secret in use is recognised: itself, and as a URL and base64 (a Kubernetes manifest, a Basic
 * header) would have it.
 */
export function knownForms(secrets: readonly Secret[]): readonly string[] {
  const values = secrets
    .map((secret) => secret.reveal())
    .filter((value) => value.length >= STRONG || (value.length >= LEAST && !isPlaceholder(value)));
  return [...new Set(values.flatMap(formsOf))].toSorted((a, b) => b.length - a.length);
}

function formsOf(value: string): string[] {
  const bytes = Buffer.from(value, 'utf8');
  // Only whole groups: what stands behind the secret changes the last one.
  const base64 = bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64');
  return [value, percentEncode(value), base64];
}

function percentEncode(value: string): string {
  return encodeURIComponent(value.toWellFormed());
}
