import { isUtf8 } from 'node:buffer';
import { decodeBody } from '../events/parse-body.ts';
import { toJson } from './print.ts';
import { printableLines } from './printable.ts';

/** Characters of a text shown; the rest is for `--raw`. */
const SHOWN = 100_000;

/** A stored body for people: JSON laid out, anything else as the text it is. */
export function showPayload(body: Uint8Array, charset: string | null): string {
  const text = decodeBody(body, charset);
  return layOut(text) ?? showText(text);
}

function layOut(text: string): string | undefined {
  try {
    return toJson(JSON.parse(text.replace(/^\ufeff/, '')));
  } catch {
    // Not JSON, or nested too deeply for JSON.stringify: it is shown as it came.
    return undefined;
  }
}

function showText(text: string): string {
  const shown = printableLines(text.slice(0, SHOWN));
  return text.length > SHOWN ? `${shown}\n... ${text.length - SHOWN} characters more: --raw writes them all` : shown;
}

/** A body as a JSON document can hold it: the text where the bytes are one, else Base64. */
export function embedBody(body: Uint8Array): { readonly encoding: 'utf8' | 'base64'; readonly body: string } {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return isUtf8(bytes)
    ? { encoding: 'utf8', body: bytes.toString('utf8') }
    : { encoding: 'base64', body: bytes.toString('base64') };
}
