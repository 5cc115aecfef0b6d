import { isSecretSetting, SETTING_NAMES } from '../config/catalogue.ts';
import { isPlaceholder } from './is-placeholder.ts';

/** A stretch of a text, in UTF-16 units, and what is in it. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly what: string;
}

/** Not DATABASE_URL, whose password has a rule of its own; but what commands take a database's password from. */
const NAMES = [...SETTING_NAMES.filter((name) => isSecretSetting(name) && name !== 'DATABASE_URL'), 'PGPASSWORD'];
const NAME = String.raw`(?<![\w$-])(?<name>${NAMES.join('|')})(?![\w-])`;
const QUOTED = String.raw`"(?<double>[^"\r\n]{1,2048})"|'(?<single>[^'\r\n]{1,2048})'|\x60(?<tick>[^\x60\r\n]{1,2048})\x60`;
const BARE = String.raw`(?<bare>[^\s"'\x60#;&|<>]{1,2048})`;
/** Looked ahead at alone: a value can hold the next name, as in `NAME: ${NAME:-value}`. */
const VALUE = `(?=${QUOTED}|${BARE})`;

/** `NAME=value`, `NAME: value`, `"NAME": "value"`, `['NAME'] = 'value'`, `set('NAME', 'value')`, `${NAME:-value}`. */
const ASSIGNED = new RegExp(
  String.raw`${NAME}["'\]]{0,2}(?<sign>[ \t]{0,16}(?::=|:-|\?\?=|\|\|=|=>|:(?!\?)|[=,])[ \t]{0,16})${VALUE}`,
  'dg',
);
/** Docker's `ENV NAME value`. */
const IN_DOCKERFILE = new RegExp(String.raw`^[ \t]*ENV[ \t]+${NAME}(?<sign>[ \t]+)${VALUE}`, 'dgim');
/** Kubernetes' `- name: NAME` with its `value:` on the next line. */
const IN_MANIFEST = new RegExp(
  String.raw`\bname["']?:[ \t]*["']?${NAME}["']?,?[ \t]*\r?\n[ \t]*["']?value["']?(?<sign>:[ \t]*)${VALUE}`,
  'dg',
);

/** Files in which a value needs no quotes. */
const PLAIN = /(?:^|[/.])env(?:\.[\w.-]+)?$|\.(?:ya?ml|properties|toml|ini|conf|cfg|envrc|service)$/i;
/** A line up to a name in a sentence of a comment, as in `# Without ADMIN_TOKEN: no console`. */
const SENTENCE = /^\s*#+.*[a-z]\s+$/i;
/** Characters from which on a text without quotes in code is no name of a variable, if there is a digit in it. */
const RANDOM = 16;

/** Our own settings that stand there with their value. */
export function* findSettings(text: string, path: string): Generator<Stretch> {
  for (const form of [ASSIGNED, IN_DOCKERFILE, IN_MANIFEST]) {
    for (const match of text.matchAll(form)) {
      const found = findValue(match);
      if (found === undefined || !isLiteral(found, match.groups?.['sign'] ?? '', isPlain(match, path), path)) continue;
      const { value, start } = found;
      if (value.split(',').every(isPlaceholder)) continue;
      yield { start, end: start + value.length, what: `${match.groups?.['name']} with its value` };
    }
  }
}

interface Value {
  readonly value: string;
  readonly start: number;
  readonly isBare: boolean;
}

function findValue(match: RegExpExecArray): Value | undefined {
  for (const group of ['double', 'single', 'tick', 'bare'] as const) {
    const value = match.groups?.[group];
    const start = match.indices?.groups?.[group]?.[0];
    if (value === undefined || start === undefined) continue;
    const isBare = group === 'bare';
    // Without what closes around it in code or in a sentence.
    return { value: isBare ? value.replace(/[,.)\]}]+$/, '') : value, start, isBare };
  }
  return undefined;
}

/** Whether a value needs no quotes where it stands. */
function isPlain({ index, input }: RegExpExecArray, path: string): boolean {
  return PLAIN.test(path) && !SENTENCE.test(input.slice(input.lastIndexOf('\n', index) + 1, index));
}

/** Whether a value is one, and not a name or a word in a program. */
function isLiteral({ value, isBare }: Value, sign: string, plain: boolean, path: string): boolean {
  if (sign === '=' || sign === ':-' || plain) return true;
  if (sign.trim() === '') return /(?:docker|container)file/i.test(path);
  const isInList = sign.includes(',');
  if (isBare && isInList) return false;
  // What stands behind a name in a list need not belong to it: a word of a command, say.
  if (isBare || isInList) return value.length >= RANDOM && /\d/.test(value);
  return !/\s/.test(value) && (value.length >= RANDOM || !/^[a-z]+$/i.test(value));
}
