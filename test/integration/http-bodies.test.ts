import { expect } from '@jest/globals';
import { type Checked, checkCase } from '../support/check-case.ts';
import { withToken } from '../support/credentials.ts';
import { freshBody, freshPayload, LEAD, MARK } from '../support/payloads.ts';
import { askRaw, fields, post, postHead } from '../support/post.ts';
import { type Row, row, runTable } from '../support/run-table.ts';
import { BOTH_SCHEMES, type RunningReceiver } from '../support/start-receiver.ts';

const LIMIT = 1024 * 1024;
const USER = { userId: 'instantly:token:1' } as const;
const ENV = { ...BOTH_SCHEMES, BODY_LIMIT: String(LIMIT) };

/** An event with one more member, given as JSON text that JSON.stringify would not write. */
const bodyWith = (member: string): string => `${freshBody().slice(0, -1)},${member}}`;

const nested = (levels: number): string =>
  `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)},"b":"${freshBody().length}"}`;
const nestedObjects = (levels: number): string => `${'{"a":'.repeat(levels)}${Date.now()}${'}'.repeat(levels)}`;

/** The event is there, byte for byte, and the same bytes again are a duplicate of it. */
const isKept =
  (body: Uint8Array | string) =>
  async ({ answer }: Checked, running: RunningReceiver): Promise<void> => {
    const { id } = JSON.parse(answer.text) as { id: string };
    const event = await running.receiver.store.findEvent(id);
    expect(Buffer.from(event?.body ?? []).equals(Buffer.from(body as Uint8Array))).toBe(true);
    const again = await checkCase(running, () => post(running, body, withToken), {
      outcome: 'duplicate',
      userId: 'instantly:token:1',
      metadata: { eventId: id },
    });
    expect(JSON.parse(again.answer.text)).toEqual({ status: 'duplicate', id });
  };

const isQuarantined =
  (body: Uint8Array | string) =>
  async (_checked: Checked, { receiver }: RunningReceiver): Promise<void> => {
    const [newest] = await receiver.store.listQuarantine({ limit: 1 });
    const held = await receiver.store.findQuarantined(newest?.id ?? '');
    expect(Buffer.from(held?.body ?? []).equals(Buffer.from(body as Uint8Array))).toBe(true);
    expect(held).toMatchObject({ state: 'held', principal: 'instantly:token:1', contentType: 'application/json' });
  };

const accepts = (name: string, body: Uint8Array | string, metadata: Readonly<Record<string, unknown>> = {}): Row =>
  row(
    name,
    (running) => post(running, body, withToken),
    { outcome: 'accepted', ...USER, metadata: { bytes: Buffer.from(body as Uint8Array).byteLength, ...metadata } },
    isKept(body),
  );

const holds = (name: string, reason: 'not-json' | 'not-an-object', body: Uint8Array | string): Row =>
  row(
    name,
    (running) => post(running, body, withToken),
    { outcome: 'unreadable-body', reason, ...USER },
    isQuarantined(body),
  );

/** The lead is read by the character set, and the bytes are kept. */
const acceptsIn = (charset: string, encode: (text: string) => Buffer, label = charset): Row => {
  const bytes = encode(freshBody({ event_type: 'Grüße', lead_email: `${charset}.ü@example.com` }));
  return row(
    `in ${charset}`,
    (running) => post(running, bytes, { ...withToken, 'content-type': `application/json; charset=${label}` }),
    { outcome: 'accepted', ...USER },
    async ({ answer }, { receiver }) => {
      const { id } = JSON.parse(answer.text) as { id: string };
      const event = await receiver.store.findEvent(id);
      expect(event).toMatchObject({ rawType: 'Grüße', lead: `${charset}.ü@example.com` });
      expect(Buffer.from(event?.body ?? []).equals(bytes)).toBe(true);
    },
  );
};

const acceptsAs = (contentType: string): Row => {
  const body = freshBody();
  return row(
    `content type ${contentType}`,
    (running) => post(running, body, { ...withToken, 'content-type': contentType }),
    {
      outcome: 'accepted',
      ...USER,
    },
  );
};

runTable('bodies that are events', ENV, [
  accepts('an event', freshBody(), { eventType: 'reply_received' }),
  accepts('an alias', freshBody({ event_type: 'link_clicked' }), { eventType: 'email_link_clicked' }),
  accepts('a custom label', freshBody({ event_type: `Asked about ${MARK}` }), { eventType: 'custom' }),
  accepts('no type', JSON.stringify({ lead_email: LEAD, note: freshPayload() }), { eventType: 'unknown' }),
  accepts('an empty object', '{}', { eventType: 'unknown' }),
  accepts(
    'fields of other types',
    JSON.stringify({ event_type: 7, timestamp: [], lead_email: { a: MARK }, campaign_id: null }),
  ),
  accepts('60 levels deep', nested(60)),
  accepts('100,000 levels deep', nested(100_000)),
  accepts('100,000 objects deep', nestedObjects(100_000)),
  accepts('a name twice', bodyWith('"event_type":"email_sent"'), { eventType: 'email_sent' }),
  accepts('__proto__', bodyWith('"__proto__":{"event_type":"email_sent","polluted":true}'), {
    eventType: 'reply_received',
  }),
  accepts(
    'constructor and toString',
    bodyWith('"constructor":{"prototype":{"polluted":1}},"toString":1,"valueOf":null'),
  ),
  accepts('lone surrogates', bodyWith('"\\ud800":"\\udc00 \\ud83d"')),
  accepts('a type with a lone surrogate and U+0000', JSON.stringify(freshPayload({ event_type: '\ud800\u0000' })), {
    eventType: 'custom',
  }),
  accepts(
    'invalid UTF-8 in a text',
    Buffer.concat([
      Buffer.from('{"timestamp":"2026-11-18T11:15:59Z","a":"'),
      Buffer.from([0xff, 0xc3, 0x28]),
      Buffer.from('"}'),
    ]),
  ),
  accepts(
    'numbers that no double holds',
    bodyWith('"a":1e400,"b":12345678901234567890,"c":0.1000000000000000055,"d":-1e999'),
  ),
  accepts('minus zero and long fractions', bodyWith(`"a":-0,"b":0.${'1'.repeat(5_000)}`)),
  accepts('a byte order mark', `\ufeff${freshBody()}`),
  accepts('white space around it', ` \n\t${freshBody()}\r\n `),
  accepts('a long text', freshBody({ reply_html: '<p>Grüße</p>'.repeat(20_000) })),
  accepts(
    '10,000 more fields',
    JSON.stringify({
      ...freshPayload(),
      ...Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`f${n}`, n])),
    }),
  ),
  acceptsIn('iso-8859-1', (text) => Buffer.from(text, 'latin1')),
  acceptsIn('windows-1252', (text) => Buffer.from(text, 'latin1'), '"Windows-1252"'),
  acceptsIn('utf-16', (text) => Buffer.from(`\ufeff${text}`, 'utf16le')),
  acceptsIn('utf-16be', (text) => Buffer.from(text, 'utf16le').swap16()),
  acceptsIn('utf-8', (text) => Buffer.from(text)),
  acceptsAs('text/plain'),
  acceptsAs('application/x-www-form-urlencoded'),
  acceptsAs('multipart/form-data; boundary=x'),
  acceptsAs('application/json; charset=utf-16'),
  acceptsAs(`nonsense ${MARK}`),
]);

runTable('bodies that are no events', ENV, [
  holds('empty', 'not-json', ''),
  holds('null', 'not-an-object', 'null'),
  holds('a list', 'not-an-object', '[]'),
  holds('a list of events', 'not-an-object', `[${freshBody()}]`),
  holds('a text', 'not-an-object', '"x"'),
  holds('a number', 'not-an-object', '1e400'),
  holds('true', 'not-an-object', 'true'),
  holds('cut off', 'not-json', freshBody().slice(0, -1)),
  holds('two events', 'not-json', `${freshBody()}\n${freshBody()}`),
  holds('a trailing comma', 'not-json', '{"a":1,}'),
  holds('NaN', 'not-json', '{"a":NaN}'),
  holds('single quotes', 'not-json', "{'a':1}"),
  holds('100,000 levels that never close', 'not-json', '['.repeat(100_000)),
  holds('UTF-16', 'not-json', Buffer.from(freshBody(), 'utf16le')),
  holds('invalid UTF-8 outside texts', 'not-json', Buffer.from([0x7b, 0xff, 0x7d])),
  holds('U+0000 after it', 'not-json', `${freshBody()}\0`),
  holds('gzip without saying so', 'not-json', Buffer.from([0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00])),
  holds('a form', 'not-json', `event_type=reply_received&lead_email=${LEAD}`),
]);

const filledTo = (bytes: number): string => {
  const start = freshBody({ filler: '' });
  return start.replace('"filler":""', `"filler":"${'x'.repeat(bytes - Buffer.byteLength(start))}"`);
};

const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

const chunked = (chunks: readonly string[]): string =>
  `${postHead('Transfer-Encoding: chunked', ...fields(withToken))}${chunks.map(chunk).join('')}0\r\n\r\n`;

const sendsChunks = (name: string, chunks: readonly string[], expected: Row['expected'], check?: Row['check']): Row =>
  row(name, (running) => askRaw(running, chunked(chunks)), expected, check);

const encoded = (value: string, expected: Row['expected']): Row =>
  row(
    `Content-Encoding: ${value}`,
    (running) => post(running, freshBody(), { ...withToken, 'content-encoding': value }),
    expected,
  );

const REFUSED_ENCODING = { outcome: 'unsupported-encoding', ...USER, quarantined: true } as const;
/** The coding was taken off on the way, and its header was not. */
const PLAIN_AFTER_ALL = { outcome: 'accepted', ...USER } as const;
const TOO_LARGE = { outcome: 'body-too-large' } as const;
const exact = filledTo(LIMIT);
const exactChunked = filledTo(LIMIT);
const bytewise = freshBody();
const inChunks = freshBody();

runTable('sizes and encodings', ENV, [
  accepts('the limit exactly', exact),
  row('the limit and one byte', (running) => post(running, filledTo(LIMIT + 1), withToken), TOO_LARGE),
  row(
    'a length far over the limit',
    (running) => askRaw(running, postHead('Content-Length: 99999999999', ...fields(withToken))),
    TOO_LARGE,
  ),
  sendsChunks(
    'chunked',
    [inChunks.slice(0, 20), inChunks.slice(20)],
    { outcome: 'accepted', ...USER },
    isKept(inChunks),
  ),
  sendsChunks('in chunks of one byte', [...bytewise], { outcome: 'accepted', ...USER }, isKept(bytewise)),
  sendsChunks('the limit exactly, chunked', [exactChunked], { outcome: 'accepted', ...USER }, isKept(exactChunked)),
  sendsChunks('the limit and one byte, chunked', [filledTo(LIMIT), '}'], TOO_LARGE),
  row(
    'chunked, with trailers that claim a token',
    (running) => {
      const body = freshBody();
      const start = postHead('Transfer-Encoding: chunked', 'Trailer: x-webhook-secret');
      return askRaw(running, `${start}${chunk(body)}0\r\n${fields(withToken).join('\r\n')}\r\n\r\n`);
    },
    { outcome: 'unauthenticated', reason: 'missing' },
  ),
  ...['gzip', 'br', 'deflate', 'identity, gzip'].map((value) => encoded(value, PLAIN_AFTER_ALL)),
  ...['zstd', 'gzip, br', 'compress', `x${MARK}`].map((value) => encoded(value, REFUSED_ENCODING)),
  ...['utf-8', 'UTF8', '"utf-8"', 'identity, identity', ' ', 'utf-8,'].map((value) =>
    encoded(value, { outcome: 'accepted', ...USER }),
  ),
  encoded('identity', { outcome: 'accepted', ...USER }),
  encoded('Identity', { outcome: 'accepted', ...USER }),
]);
