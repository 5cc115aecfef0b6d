import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { dedupKey } from '../../src/events/dedup-key.ts';
import { parseBody, type ReadableBody } from '../../src/events/parse-body.ts';

/** Reads what a test knows to be a JSON object. */
export function readable(body: string | Uint8Array): ReadableBody {
  const parsed = parseBody(typeof body === 'string' ? Buffer.from(body, 'utf8') : body);
  if (!parsed.ok) throw new Error(`not readable: ${parsed.reason}`);
  return parsed;
}

export function keyOf(body: string | Uint8Array): string {
  return Buffer.from(dedupKey(readable(body))).toString('hex');
}

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Names that trip code which takes an object for a map or a number for a place. */
const name = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    '',
    '0',
    '1',
    '10',
    '9',
    '01',
    'a',
    'b',
    '\ufb33',
    '\u{1f600}',
  ),
);

const leaf = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, -0, 1, 1e21, 5e-324, 1.7976931348623157e308, 123456789012345680000),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: fc.constantFrom('"', '\\', '/', '\n', '\u2028', '\0', 'e', '1', ':', ',', '{', 'é') }),
);

const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof({ maxDepth: 4, depthIdentifier: 'json' }, leaf, tie('list'), tie('record')),
  list: fc.array(tie('tree'), { maxLength: 4, depthIdentifier: 'json' }),
  record: fc
    .uniqueArray(fc.tuple(name, tie('tree')), { maxLength: 5, selector: ([key]) => key, depthIdentifier: 'json' })
    .map((members) => Object.fromEntries(members)),
}));

/** Any value that JSON can hold. */
export const jsonValue: fc.Arbitrary<unknown> = tree;

/** Any payload. */
export const jsonObject: fc.Arbitrary<Record<string, unknown>> = fc
  .uniqueArray(fc.tuple(name, tree), { maxLength: 6, selector: ([key]) => key })
  .map((members) => Object.fromEntries(members));

/** Chooses a number from 0 up to, not including, `count`. */
export type Choose = (count: number) => number;

/** Choices that follow from a seed, so that a failing example can be run again. */
export function choices(seed: number): Choose {
  let state = seed | 0;
  return (count) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.floor(((state >>> 8) / 2 ** 24) * count);
  };
}

/** One of the many texts of a value: any order of names, any white space, any form of each number and character. */
export function render(value: unknown, choose: Choose): string {
  return `${space(choose)}${renderTight(value, choose)}${space(choose)}`;
}

function renderTight(value: unknown, choose: Choose): string {
  if (typeof value === 'string') return renderString(value, choose);
  if (typeof value === 'number') return renderNumber(value, choose);
  if (Array.isArray(value)) return `[${value.map((item) => render(item, choose)).join(',')}${space(choose)}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const members = shuffle(Object.entries(value), choose).map(
    ([key, item]) => `${space(choose)}${renderString(key, choose)}${space(choose)}:${render(item, choose)}`,
  );
  return `{${members.join(',')}${space(choose)}}`;
}

function space(choose: Choose): string {
  return ['', '', '', ' ', '\n', '\t', '\r\n', '   '][choose(8)] ?? '';
}

function shuffle<T>(items: readonly T[], choose: Choose): T[] {
  const shuffled: T[] = [];
  for (const item of items) shuffled.splice(choose(shuffled.length + 1), 0, item);
  return shuffled;
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '/': '\\/',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

function renderString(value: string, choose: Choose): string {
  return `"${Array.from(value, (character) => renderCharacter(character, choose)).join('')}"`;
}

function renderCharacter(character: string, choose: Choose): string {
  const short = SHORT_ESCAPES[character];
  const mustEscape = character < ' ' || character === '"' || character === '\\';
  if (!mustEscape && choose(3) > 0) return character;
  if (short !== undefined && choose(2) === 0) return short;
  return character
    .split('')
    .map((unit) => unit.charCodeAt(0).toString(16).padStart(4, '0'))
    .map((hex) => `\\u${choose(2) === 0 ? hex : hex.toUpperCase()}`)
    .join('');
}

function renderNumber(value: number, choose: Choose): string {
  if (value === 0) return ['0', '-0', '0.0', '0e7', '-0.00E-3', '0E+400'][choose(6)] ?? '0';
  const sign = value < 0 ? '-' : '';
  const [mantissa = '', power = ''] = Math.abs(value).toExponential().split('e');
  const digits = mantissa.replace('.', '') + '0'.repeat(choose(4));
  const exponent = Number(power);
  const form = choose(4);
  if (form === 0) return String(value);
  if (form === 1) return `${sign}${digits}${exponentText(exponent - digits.length + 1, choose)}`;
  if (form === 2) {
    const zeros = choose(4);
    return `${sign}0.${'0'.repeat(zeros)}${digits}${exponentText(exponent + 1 + zeros, choose)}`;
  }
  const point = 1 + choose(digits.length);
  const fraction = digits.slice(point) || '0';
  return `${sign}${digits.slice(0, point)}.${fraction}${exponentText(exponent - point + 1, choose)}`;
}

function exponentText(exponent: number, choose: Choose): string {
  if (exponent === 0 && choose(2) === 0) return '';
  const sign = exponent < 0 ? '-' : (['', '+'][choose(2)] ?? '');
  return `${['e', 'E'][choose(2)]}${sign}${'0'.repeat(choose(3))}${Math.abs(exponent)}`;
}

/** Whether two values are the same JSON; -0 is 0. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = new Map(Object.entries(a));
  const right = new Map(Object.entries(b));
  return left.size === right.size && [...left].every(([key, item]) => right.has(key) && sameJson(item, right.get(key)));
}

/** RFC 8785 in the plainest way, to compare with. */
export function referenceCanonical(value: unknown): string {
  if (typeof value === 'string') return referenceString(value);
  if (Array.isArray(value)) return `[${value.map(referenceCanonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '0' : String(value);
  const members = Object.entries(value).sort(([a], [b]) => compareUnits(a, b));
  return `{${members.map(([key, item]) => `${referenceString(key)}:${referenceCanonical(item)}`).join(',')}}`;
}

function compareUnits(a: string, b: string): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const difference = a.charCodeAt(at) - b.charCodeAt(at);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function referenceString(value: string): string {
  const written = value.split('').map((unit) => {
    if (unit === '/') return unit;
    const short = SHORT_ESCAPES[unit];
    if (short !== undefined) return short;
    return unit < ' ' ? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}` : unit;
  });
  return `"${written.join('')}"`;
}
