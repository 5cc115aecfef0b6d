import type { Expected } from './check-case.ts';
import type { Headers } from './credentials.ts';
import { freshBody, MARK } from './payloads.ts';
import { askRaw, post, wholePost } from './post.ts';
import { type Row, row, type Sender } from './run-table.ts';

/** Posts a new event with what the function makes of its body. */
export function sends(headersFor: (body: string) => Headers): Sender {
  return (running) => {
    const body = freshBody();
    return post(running, body, headersFor(body));
  };
}

/** The same on a raw socket, which can repeat a field. */
export function sendsFields(fieldsFor: (body: string) => readonly string[]): Sender {
  return (running) => {
    const body = freshBody();
    return askRaw(running, wholePost(body, {}, ...fieldsFor(body)));
  };
}

export const accepts = (name: string, userId: string, headersFor: (body: string) => Headers): Row =>
  row(name, sends(headersFor), { outcome: 'accepted', userId });

export const refuses = (name: string, reason: string, headersFor: (body: string) => Headers): Row =>
  row(name, sends(headersFor), { outcome: 'unauthenticated', reason });

export const refusal = (reason: string): Expected => ({ outcome: 'unauthenticated', reason });

export const signature = (value: string): Headers => ({ 'x-instantly-signature': value });
export const token = (value: string): Headers => ({ 'x-webhook-secret': value });
/** Longer than any right credential, and short enough for Node. */
export const LONG = `${MARK}${'a'.repeat(10 * 1024)}`;
