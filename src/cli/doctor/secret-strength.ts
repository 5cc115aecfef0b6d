import { isPlaceholder } from '../../scan-secrets/is-placeholder.ts';

/** As for the keys that the settings refuse. */
const LEAST_CHARACTERS = 16;
/** Of chance in a secret by what can be seen of it. Sixteen random hex digits, which hold 64, look like 50. */
const LEAST_BITS = 44;

export type Weakness = 'short' | 'placeholder' | 'guessable';

/** What makes a secret a bad one; `undefined`: nothing that can be seen. */
export function findWeakness(text: string): Weakness | undefined {
  if (isPlaceholder(text)) return 'placeholder';
  if (text.length < LEAST_CHARACTERS) return 'short';
  return visibleBits(text) < LEAST_BITS ? 'guessable' : undefined;
}

/** Shannon's entropy of the characters, where one that only repeats or counts on says nothing new. */
export function visibleBits(text: string): number {
  const told = withoutRuns(withoutRepetition(text));
  const counts = new Map<string, number>();
  for (const character of told) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= count * Math.log2(count / told.length);
  return bits;
}

/** `abcabcabc` is `abc`, said three times. */
function withoutRepetition(text: string): string {
  for (let period = 1; period <= text.length / 2; period += 1) {
    if (text.slice(period) === text.slice(0, -period)) return text.slice(0, period);
  }
  return text;
}

/** Without what follows from the two characters before it: `aaaa`, `1234`, `zyx`. */
function withoutRuns(text: string): string[] {
  const step = (at: number): number => text.charCodeAt(at) - text.charCodeAt(at - 1);
  return [...text].filter((_, at) => at < 2 || Math.abs(step(at)) > 1 || step(at) !== step(at - 1));
}
