/**
 * Control characters, and all that a terminal shows as nothing or that moves other text: an address with one of them reads
 * like another one. Default_Ignorable_Code_Point of Unicode holds the invisible letters and selectors that are not in Cf.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Payloads are a stranger's words: on a terminal some of them could move the cursor or rewrite what stands there. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escapeUnit);
}

/** As `printable`, save that lines stay lines. */
export function printableLines(text: string): string {
  return text.replace(UNPRINTABLE, (character) =>
    character === '\n' || character === '\t' ? character : escapeUnit(character),
  );
}

/** By UTF-16 unit, as JSON writes it: above U+FFFF there are two. */
function escapeUnit(character: string): string {
  return character.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
