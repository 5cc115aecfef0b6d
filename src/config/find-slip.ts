import { isSecretSetting, isSettingName, SETTING_NAMES } from './catalogue.ts';

/** Straight and typographic ones, also as a JSON document or a program escapes them. */
const QUOTES = '["\'`´\\p{Pi}\\p{Pf}‚„〝〞〟＂＇「」『』′″]';
const QUOTED = {
  begins: new RegExp(`^\\\\*(${QUOTES})`, 'u'),
  ends: new RegExp(`\\\\*(${QUOTES})$`, 'u'),
} as const;

/** Characters that no eye sees and that no key is made of; the plain space is visible enough. */
const INVISIBLE =
  /[\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\p{Co}\p{Cs}\u2800\ufffd]|(?! )\p{Zs}|(?![\t\r\n])\p{Cc}/u;
const INVISIBLE_NAMES: Readonly<Record<string, string>> = {
  '\u00a0': 'no-break space',
  '\u00ad': 'soft hyphen',
  '\u200b': 'zero-width space',
  '\u200c': 'zero-width non-joiner',
  '\u200d': 'zero-width joiner',
  '\u2060': 'word joiner',
  '\ufeff': 'byte order mark',
  '\ufffd': 'a character that could not be decoded',
};

const PREFIXED = /^(?:(?:export|set|setx|-e|--env)\s+|\$env:)[A-Za-z_]\w*\s*=/i;
const UNREPLACED = /^(?:\$\{.*\}|\$\(.*\)|\$[A-Za-z_]\w*|%\w+%|\{\{.*\}\}|<.*>)$/s;
const HEADER =
  /^(?:(?:-H|--header)\s|[A-Za-z][\w-]*\s*[:：]\s+\S|(?:x-[\w-]+|(?:proxy-)?authorization)\s*(?:[:：]|=\s*[^=\s]))/i;

/** Names long enough to stand inside of a value by mistake alone. */
const UNMISTAKABLE = SETTING_NAMES.flatMap((name) => (isSecretSetting(name) ? [name, `${name}_FILE`] : [name]))
  .filter((name) => name.length > 8 && name.includes('_'))
  .toSorted((a, b) => b.length - a.length);
const GLUED = new RegExp(`(?<![?&;,\\s"'\`(#])(${UNMISTAKABLE.join('|')})\\s*=`);

/** The setting's name that stands within a text as if a line had begun there. */
export function findGluedName(text: string): string | undefined {
  return GLUED.exec(text)?.[1];
}

/**
 * Finds the quotation marks and the invisible characters that a value of any setting took on while it was copied.
 *
 * @returns what was seen and what to do, to stand behind the setting's name; never a part of the value
 */
export function findCopyMark(text: string): string | undefined {
  const begins = QUOTED.begins.exec(text)?.[1];
  const ends = QUOTED.ends.exec(text)?.[1];
  if (begins !== undefined || ends !== undefined) {
    const where = begins === undefined ? 'ends' : ends === undefined ? 'begins' : 'begins and ends';
    return `${where} with a quotation mark (${codePoint(begins ?? ends ?? '')}), which would be a part of it; take it off`;
  }
  const invisible = INVISIBLE.exec(text)?.[0];
  if (invisible === undefined) return undefined;
  const name = INVISIBLE_NAMES[invisible];
  return `holds an invisible character (${codePoint(invisible)}${name === undefined ? '' : `, ${name}`}); type it anew or copy it without`;
}

/**
 * The same for a secret, and for what was copied with it: the name of its setting or of its header, a template in its place.
 *
 * @returns as `findCopyMark`
 */
export function findSecretSlip(text: string): string | undefined {
  const mark = findCopyMark(text);
  if (mark !== undefined) return mark;
  const named = /^([A-Za-z_]\w*)\s*[=:]/.exec(text)?.[1]?.toUpperCase();
  if (PREFIXED.test(text) || (named !== undefined && isSettingName(named.replace(/_FILE$/, '')))) {
    return 'holds the name of a setting before the value, as a line of .env does; keep the value alone';
  }
  const glued = findGluedName(text);
  if (glued !== undefined)
    return `holds ${glued}= in the middle, as where two lines of .env have become one; part them`;
  if (HEADER.test(text)) return 'holds the name of a header before the value; keep the value alone';
  if (/^\{.*\}$/s.test(text) && /["']\s*:/.test(text)) return 'is a JSON document; keep the value alone';
  if (UNREPLACED.test(text))
    return 'is a variable or a placeholder that nothing has replaced; put the value in its place';
  return undefined;
}

/** Signs that something stands in a value which is no part of it, and what they are a sign of. */
const DOUBTS: readonly (readonly [RegExp, string])[] = [
  [/\s#/, 'goes on behind white space with a "#", as a comment does'],
  [/\s[A-Z][A-Z0-9_]*=/, 'goes on with the name of another variable'],
  [/^\S{16,}\s+\S{16,}$/, 'holds white space between two values, where a comma parts keys'],
  [/;$/, 'ends with a semicolon'],
  [/\\[nrt]$/, 'ends with a written-out line break'],
  [/^[=>]/, 'begins with a sign of assignment'],
  [/^\[.*\]$/, 'stands in brackets'],
  [/^[*•.]+$|\*{4}|•{4}/, 'is masked, as where it was copied from a page that hides it'],
];

/** At most one: what a secret holds that may be meant and mostly is not; never a part of the value. */
export function findDoubts(name: string, text: string): string[] {
  if (findSecretSlip(text) !== undefined) return [];
  const [, doubt] = DOUBTS.find(([sign]) => sign.test(text)) ?? [];
  if (doubt === undefined) return [];
  return [`${name} ${doubt}; all of it counts as the secret, so correct it unless that is meant`];
}

function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}
