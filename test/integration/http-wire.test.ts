import { expect } from '@jest/globals';
import type { Expected } from '../support/check-case.ts';
import { type Headers, withToken } from '../support/credentials.ts';
import { freshBody, MARK } from '../support/payloads.ts';
import { askRaw, fields, head, postHead, WEBHOOK_PATH, wholePost } from '../support/post.ts';
import { type Row, row, runTable } from '../support/run-table.ts';
import { BOTH_SCHEMES } from '../support/start-receiver.ts';

const TOKEN = fields(withToken);
const USER: Pick<Expected, 'userId'> = { userId: 'instantly:token:1' };
const ACCEPTED: Expected = { outcome: 'accepted', ...USER };

/** Node refuses it: nothing of it has reached the application. */
const REFUSED: Expected = { outcome: 'malformed-request', action: 'request.refuse', method: 'other' };
/** Its head was in order, its body is not. */
const BROKEN: Expected = { outcome: 'malformed-request' };
/** Node lets it through, and the application does not. */
const unclear = (reason: string): Expected => ({ outcome: 'malformed-request', action: 'request.refuse', reason });
const OVERSIZED: Expected = { outcome: 'headers-too-large', action: 'request.refuse', method: 'other' };

/** Every one of them carries the right token: what is wrong is its form alone. */
const raw = (name: string, bytes: () => string | Uint8Array, expected: Expected): Row =>
  row(
    name,
    (running) => askRaw(running, bytes()),
    expected,
    ({ answer }) => {
      if (answer.status >= 400) expect(answer.headers['connection']).toBe('close');
    },
  );

const chunked = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
const inChunks = (...more: readonly string[]): string => `${postHead(...more, ...TOKEN)}${chunked(freshBody())}`;
const withChunks = (chunks: string): string => `${postHead('Transfer-Encoding: chunked', ...TOKEN)}${chunks}`;
const withLengths = (...lengths: readonly string[]): string =>
  `${postHead(...lengths.map((length) => `Content-Length: ${length}`), ...TOKEN)}{}`;
const withField = (field: string): Buffer => wholePost(freshBody(), withToken, field);

runTable('requests that are no HTTP', BOTH_SCHEMES, [
  raw('garbage', () => `${MARK} ${MARK}\r\n\r\n`, REFUSED),
  raw('a TLS greeting', () => Buffer.from('16030102000100 01fc0303'.replace(' ', ''), 'hex'), REFUSED),
  raw('an HTTP/2 preface', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', REFUSED),
  raw('a method in lower case', () => head(`post ${WEBHOOK_PATH} HTTP/1.1`, 'Host: a', ...TOKEN), REFUSED),
  raw('an unknown version', () => head(`POST ${WEBHOOK_PATH} HTTP/9.9`, 'Host: a', ...TOKEN), REFUSED),
  raw('a target of another scheme', () => head(`GET mailto:${MARK} HTTP/1.1`, 'Host: a'), REFUSED),
  raw('a target beyond ASCII', () => head(`GET /${MARK}\xa0 HTTP/1.1`, 'Host: a'), REFUSED),
  raw('white space before a colon', () => withField('x-a : b'), REFUSED),
  raw('a NUL in a field', () => withField(`x-a: ${MARK}\0`), REFUSED),
  raw('a folded field', () => withField('x-a: b\r\n c'), REFUSED),
  raw('a lone CR in a field', () => withField('x-a: b\rx-webhook-secret: c'), REFUSED),
  raw('a field without a colon', () => withField(MARK), REFUSED),
  raw('a lone LF after each line', () => postHead('Content-Length: 2', ...TOKEN).replaceAll('\r\n', '\n'), REFUSED),
  raw('a field of 20 KB', () => withField(`x-a: ${'a'.repeat(20_000)}`), OVERSIZED),
  raw('a target of 20 KB', () => head(`POST /${MARK}${'a'.repeat(20_000)} HTTP/1.1`, 'Host: a', ...TOKEN), OVERSIZED),
  raw('5,000 fields', () => postHead(...Array<string>(5_000).fill('a:'), ...TOKEN), OVERSIZED),
]);

runTable('requests whose length could be taken in two ways', BOTH_SCHEMES, [
  raw('two lengths', () => withLengths('2', '3'), REFUSED),
  raw('one length twice', () => withLengths('2', '2'), REFUSED),
  raw('a list of lengths', () => withLengths('2, 2'), REFUSED),
  raw('a negative length', () => withLengths('-1'), REFUSED),
  raw('a length with a sign', () => withLengths('+2'), REFUSED),
  raw('a hexadecimal length', () => withLengths('0x2'), REFUSED),
  raw('an empty length', () => withLengths(''), REFUSED),
  raw('a length of thirty digits', () => withLengths('9'.repeat(30)), REFUSED),
  raw('a length, then chunks', () => inChunks('Content-Length: 2', 'Transfer-Encoding: chunked'), REFUSED),
  raw('chunks, then a length', () => inChunks('Transfer-Encoding: chunked', 'Content-Length: 2'), REFUSED),
  raw('chunked and then something else', () => inChunks('Transfer-Encoding: chunked, identity'), REFUSED),
  raw(
    'chunked in one field, something else in another',
    () => inChunks('Transfer-Encoding: chunked', 'Transfer-Encoding: identity'),
    REFUSED,
  ),
  raw('chunked twice', () => inChunks('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'), REFUSED),
  raw('white space before the colon of Transfer-Encoding', () => inChunks('Transfer-Encoding : chunked'), REFUSED),
  raw('a vertical tab before chunked', () => inChunks('Transfer-Encoding: \x0bchunked'), REFUSED),
  raw('another encoding and a length', () => inChunks('Transfer-Encoding: identity', 'Content-Length: 2'), REFUSED),
  raw('an unknown transfer encoding', () => inChunks('Transfer-Encoding: xchunked'), unclear('transfer-encoding')),
  raw('no chunked at the end', () => inChunks('Transfer-Encoding: identity'), unclear('transfer-encoding')),
  raw('chunked in upper case', () => inChunks('Transfer-Encoding: CHUNKED'), ACCEPTED),
  raw('a chunk with an extension', () => withChunks(chunked(freshBody()).replace('\r\n', ';a=b\r\n')), ACCEPTED),
  raw('a chunk size that is no number', () => withChunks('zz\r\n{}\r\n0\r\n\r\n'), BROKEN),
  raw('a negative chunk size', () => withChunks('-2\r\n{}\r\n0\r\n\r\n'), BROKEN),
  raw('a chunk size beyond 64 bits', () => withChunks('ffffffffffffffffff\r\n{}\r\n0\r\n\r\n'), BROKEN),
  raw('a chunk longer than its size', () => withChunks('2\r\n{}}\r\n0\r\n\r\n'), BROKEN),
  raw('chunks with a lone LF', () => withChunks('2\n{}\n0\n\n'), BROKEN),
  raw('a chunk extension of 20 KB', () => withChunks(`2;a=${'b'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`), BROKEN),
  raw('a trailer of 20 KB', () => withChunks(`2\r\n{}\r\n0\r\nx: ${'b'.repeat(20_000)}\r\n\r\n`), {
    outcome: 'headers-too-large',
  }),
]);

const wrong: Headers = { 'x-webhook-secret': `wrong-${MARK}` };

runTable('forms that are unusual and clear', BOTH_SCHEMES, [
  raw(
    'empty lines before it',
    () => Buffer.concat([Buffer.from('\r\n\r\n'), wholePost(freshBody(), withToken)]),
    ACCEPTED,
  ),
  raw(
    'an empty Host',
    () => {
      const body = freshBody();
      return head(`POST ${WEBHOOK_PATH} HTTP/1.1`, 'Host:', `Content-Length: ${body.length}`, ...TOKEN) + body;
    },
    ACCEPTED,
  ),
  raw('two Hosts', () => withField('Host: other.example'), unclear('several-hosts')),
  raw(
    'names in upper case, values in white space',
    () => {
      const body = freshBody();
      const upper = fields(withToken).map((field) => field.replace(/^[^:]+: /, (name) => `${name.toUpperCase()} \t `));
      return postHead(`CONTENT-LENGTH:${body.length}`, ...upper) + body;
    },
    ACCEPTED,
  ),
  row(
    'bytes beyond ASCII in a credential',
    (running) => askRaw(running, wholePost('{}', { 'x-webhook-secret': 't\xf6ken' })),
    {
      outcome: 'unauthenticated',
      reason: 'mismatch',
    },
  ),
  row(
    'an expectation that nobody knows',
    (running) => askRaw(running, wholePost(freshBody(), withToken, 'Expect: 200-ok')),
    ACCEPTED,
  ),
  row(
    'broken chunks from somebody unproven',
    (running) => askRaw(running, `${postHead('Transfer-Encoding: chunked', ...fields(wrong))}zz\r\n`),
    {
      outcome: 'unauthenticated',
      reason: 'mismatch',
    },
  ),
]);
