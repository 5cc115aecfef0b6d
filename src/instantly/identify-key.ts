import type { Secret } from '../config/secret.ts';
import type { ListedApiKey } from './schemas.ts';

export interface IdentifiedKey {
  readonly entry: ListedApiKey;
  /** How sure it is: by the whole key or the id in it, or only by what a mask lets through. */
  readonly by: 'key' | 'mask';
}

/** What a mask may be made of; in front of it and behind it stands what it lets through. */
const MASKED = /^(?<start>[^.*•…]*)(?:\.{3,}|\*{2,}|[•…]+)(?<end>[^.*•…]*)$/u;
/** Characters that have to be seen for them to tell something. */
const LEAST_SEEN = 4;

/**
 * Which of the listed keys is this one. The list masks them; how is not published, so more than one way is tried.
 *
 * @returns `undefined` where none is, or more than one might be
 */
export function identifyKey(listed: readonly ListedApiKey[], secret: Secret): IdentifiedKey | undefined {
  const text = secret.reveal();
  const ownId = idIn(text);
  const sure = listed.find(({ id, key }) => key === text || id.toLowerCase() === ownId);
  if (sure !== undefined) return { entry: sure, by: 'key' };
  const [only, ...others] = listed.filter(({ key }) => isMaskOf(key ?? '', text));
  return only === undefined || others.length > 0 ? undefined : { entry: only, by: 'mask' };
}

/** A key is said to be the base64 of an id, a colon and a random part. Where that is not so, nothing comes of it. */
function idIn(text: string): string | undefined {
  return /^([0-9a-f]{8}-[0-9a-f-]{27}):/i.exec(Buffer.from(text, 'base64').toString('latin1'))?.[1]?.toLowerCase();
}

function isMaskOf(masked: string, text: string): boolean {
  const { start = '', end = '' } = MASKED.exec(masked)?.groups ?? {};
  if (start.length + end.length < LEAST_SEEN || start.length + end.length > text.length) return false;
  return text.startsWith(start) && text.endsWith(end);
}
