import { basename } from 'node:path';
import { inspect } from 'node:util';
import { errorCode } from './error-code.ts';
import { maskText } from './mask-text.ts';
import type { FailureReport } from './thread-protocol.ts';

/** UTF-16 units of an error's text that are kept. */
const MAX_LENGTH = 500;
/** Read before masking: far more than is kept, so that the cut leaves no half of an address in it. */
const READ_LENGTH = 4_000;

/** What a user's code has thrown, in one line fit to be kept: any value may be thrown, one that throws when it is read too. */
export function describeError(thrown: unknown, file: string): FailureReport {
  try {
    const where = findPlace(thrown, file);
    const text = tidy(describe(thrown));
    return where === undefined ? { text } : { text, where };
  } catch {
    return { text: 'an error that cannot be read was thrown' };
  }
}

function describe(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `thrown without an Error: ${briefly(thrown)}`;
  const { name, message, cause } = thrown;
  const code = errorCode(cause) ?? errorCode(thrown);
  // fetch says only "fetch failed"; why is the code of its cause.
  const suffix = code === undefined || message.includes(code) ? '' : ` (${code})`;
  return `${name}: ${message.slice(0, READ_LENGTH)}${suffix}`;
}

function briefly(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown.slice(0, READ_LENGTH);
  return inspect(thrown, { depth: 0, breakLength: Number.POSITIVE_INFINITY, maxStringLength: 200, maxArrayLength: 5 });
}

function tidy(text: string): string {
  const cut = text.length > READ_LENGTH ? text.slice(0, READ_LENGTH).replace(/\S+$/, '') : text;
  const masked = maskText(cut.replace(/\s+/g, ' ').trim());
  // No column of a database holds a lone surrogate or U+0000.
  const storable = masked.toWellFormed().replaceAll('\0', '\ufffd');
  return storable.length > MAX_LENGTH ? `${storable.slice(0, MAX_LENGTH - 1).toWellFormed()}…` : storable;
}

/** `crm.ts:12:9`, where the stack names a line of the handler's own file. */
function findPlace(thrown: unknown, file: string): string | undefined {
  if (!(thrown instanceof Error) || typeof thrown.stack !== 'string') return undefined;
  const name = basename(file);
  for (const line of thrown.stack.split('\n', 200)) {
    const at = line.lastIndexOf(`/${name}:`);
    const place = at === -1 ? null : /^\d+(?::\d+)?/.exec(line.slice(at + name.length + 2));
    if (place !== null) return `${name}:${place[0]}`;
  }
  return undefined;
}
