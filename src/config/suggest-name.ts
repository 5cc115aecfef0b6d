import { isSecretSetting, isSettingName, SETTING_NAMES, type SettingName } from './catalogue.ts';

/** Shorter names lie too near to other programs' variables. */
const MIN_LENGTH = 8;
const MAX_DISTANCE = 2;
/** Typing errors in a name of a closed set, and the letters that each of them needs beside it. */
const MAX_SLIPS = 3;
const LETTERS_PER_SLIP = 3;
/** Characters of a text that are compared: a table of distances grows with both lengths. */
const MAX_COMPARED = 100;
/** Nobody else's variables begin with it, so an unknown one is worth a word even when it resembles none of ours. */
const OWN_PREFIX = 'INSTANTLY_';

/** Names of ours that other programs read as well, in capitals or not, beside others that look alike. */
export const SHARED_NAMES: ReadonlySet<string> = new Set<SettingName>(['HTTPS_PROXY', 'NO_PROXY']);

const KNOWN_NAMES: readonly string[] = SETTING_NAMES.filter((name) => !SHARED_NAMES.has(name)).flatMap((name) =>
  isSecretSetting(name) ? [name, `${name}_FILE`] : [name],
);

/** One warning for each variable that looks like a mistyped setting, such as HANDLER_CONCURENCY or HANDLER_TIMEOUT. */
export function findMistypedNames(names: Iterable<string>): string[] {
  const warnings: string[] = [];
  for (const name of new Set(names)) {
    if (!/^\w{1,64}$/.test(name) || KNOWN_NAMES.includes(name) || isSettingName(name)) continue;
    const meant = suggestName(name);
    if (meant !== undefined) {
      warnings.push(`${name} is not a setting of this receiver and is ignored; did you mean ${meant}?`);
    } else if (name.startsWith(OWN_PREFIX)) {
      warnings.push(`${name} is not a setting of this receiver and is ignored; .env.example lists them all`);
    }
  }
  return warnings.toSorted();
}

function suggestName(name: string): string | undefined {
  if (name.length < MIN_LENGTH) return undefined;
  const upper = name.toUpperCase();
  let best: { readonly known: string; readonly distance: number } | undefined;
  for (const known of KNOWN_NAMES) {
    // Every start asks this of every variable there is, and a table takes long.
    if (Math.abs(known.length - upper.length) > MAX_DISTANCE) continue;
    const distance = editDistance(upper, known);
    if (distance <= MAX_DISTANCE && (best === undefined || distance < best.distance)) best = { known, distance };
  }
  if (best !== undefined) return best.known;
  // The unit left off: HANDLER_TIMEOUT for HANDLER_TIMEOUT_SECONDS.
  return upper.includes('_') ? KNOWN_NAMES.find((known) => known.startsWith(`${upper}_`)) : undefined;
}

/** A name without case, separators and invisible characters: `Reply-Received`, `replyReceived` and `reply_received` are one. */
function foldName(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, '');
}

/** The only one of `names` that differs from `text` in case and separators alone, or not at all. */
export function sameName<N extends string>(text: string, names: readonly N[]): N | undefined {
  const exact = names.find((name) => name === text);
  if (exact !== undefined) return exact;
  const [only, ...others] = names.filter((name) => foldName(name) === foldName(text));
  return others.length === 0 ? only : undefined;
}

/** The one of `names` that `text` is most likely a slip for; `undefined` where it resembles none. */
export function closestName<N extends string>(text: string, names: readonly N[]): N | undefined {
  const folded = foldName(text).slice(0, MAX_COMPARED);
  let best: { readonly name: N; readonly distance: number } | undefined;
  for (const name of names) {
    const other = foldName(name);
    const allowed = Math.min(MAX_SLIPS, Math.floor(Math.min(folded.length, other.length) / LETTERS_PER_SLIP));
    if (folded === '' || Math.abs(folded.length - other.length) > allowed) continue;
    const distance = editDistance(folded, other);
    if (distance <= allowed && (best === undefined || distance < best.distance)) best = { name, distance };
  }
  return best?.name;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one text into the other (optimal string alignment). */
export function editDistance(from: string, to: string): number {
  const cell = (table: readonly (readonly number[])[], row: number, column: number) => table[row]?.[column] ?? 0;
  const table: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    table.push(current);
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = cell(table, row - 1, column - 1) + (from[row - 1] === to[column - 1] ? 0 : 1);
      let least = Math.min(cell(table, row - 1, column) + 1, cell(table, row, column - 1) + 1, replaced);
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) least = Math.min(least, cell(table, row - 2, column - 2) + 1);
      current.push(least);
    }
  }
  return cell(table, from.length, to.length);
}
