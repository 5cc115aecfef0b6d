import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { expect } from '@jest/globals';
import { type Checked, checkCase, type Expected } from '../support/check-case.ts';
import { type Headers, signed, withToken } from '../support/credentials.ts';
import { freshBody, MARK } from '../support/payloads.ts';
import { askRaw, fields, post, wholePost } from '../support/post.ts';
import { type Row, row, runTable } from '../support/run-table.ts';
import { BOTH_SCHEMES, type RunningReceiver } from '../support/start-receiver.ts';

const LIMIT = 256 * 1024;
const ENV = { ...BOTH_SCHEMES, BODY_LIMIT: String(LIMIT), MAX_BUFFERED: '1mb' };
const TOKEN_USER = { userId: 'instantly:token:1' } as const;
const HMAC_USER = { userId: 'instantly:hmac:1' } as const;

type Proof = (body: Uint8Array) => Headers;
const byToken: Proof = () => withToken;

const sends = (value: string, packed: Uint8Array, proof: Proof) => (running: RunningReceiver) =>
  post(running, packed, { ...proof(packed), 'content-encoding': value });

/** The event is there unpacked, and the same event sent plainly is a duplicate of it. */
const isUnpacked =
  (text: string) =>
  async ({ answer }: Checked, running: RunningReceiver): Promise<void> => {
    const { id } = JSON.parse(answer.text) as { id: string };
    const event = await running.receiver.store.findEvent(id);
    expect(Buffer.from(event?.body ?? []).toString()).toBe(text);
    await checkCase(running, () => post(running, text, withToken), {
      outcome: 'duplicate',
      ...TOKEN_USER,
      metadata: { eventId: id },
    });
  };

const isHeld =
  (bytes: Uint8Array, reason: string) =>
  async ({ traces }: Checked, { receiver }: RunningReceiver): Promise<void> => {
    const [newest] = await receiver.store.listQuarantine({ limit: 1 });
    const held = await receiver.store.findQuarantined(newest?.id ?? '');
    expect(Buffer.from(held?.body ?? []).equals(Buffer.from(bytes))).toBe(true);
    expect(held).toMatchObject({ reason, state: 'held' });
    expect(traces.log.filter(({ level }) => Number(level) === 40)).toHaveLength(reason === 'not-json' ? 0 : 1);
  };

function unpacks(
  value: string,
  pack: (text: string) => Uint8Array,
  proof = byToken,
  user: Partial<Expected> = TOKEN_USER,
): Row {
  const text = freshBody({ reply_text: 'Grüße '.repeat(2_000) });
  const packed = pack(text);
  return row(
    `${value} by ${user.userId}`,
    sends(value, packed, proof),
    { outcome: 'accepted', ...user, metadata: { bytes: packed.byteLength, eventType: 'reply_received' } },
    isUnpacked(text),
  );
}

function keeps(
  name: string,
  value: string,
  packed: Uint8Array,
  expected: Expected,
  reason: string,
  proof = byToken,
): Row {
  return row(
    name,
    sends(value, packed, proof),
    { quarantined: true, ...TOKEN_USER, ...expected },
    isHeld(packed, reason),
  );
}

const whole = gzipSync(freshBody());
const bomb = gzipSync(Buffer.alloc(16 * 1024 * 1024, 0x20), { level: 1 });
const bombs = {
  gzip: gzipSync(bomb),
  br: brotliCompressSync(Buffer.alloc(4 * LIMIT)),
  deflate: deflateSync(Buffer.alloc(4 * LIMIT)),
};
const filled = freshBody({ filler: 'x'.repeat(LIMIT - Buffer.byteLength(freshBody({ filler: '' }))) });
const notJson = gzipSync('event_type=reply_received');
const zstd = zstdCompressSync(freshBody());

runTable('content codings of a proven sender', ENV, [
  ...(['gzip', 'x-gzip', 'GZIP', 'gzip, gzip', 'identity, gzip', ' gzip '] as const).map((value) =>
    unpacks(value, gzipSync),
  ),
  unpacks('br', brotliCompressSync),
  unpacks('deflate', deflateSync),
  unpacks('Deflate', deflateRawSync),
  unpacks('gzip', gzipSync, signed, HMAC_USER),
  unpacks('br', brotliCompressSync, signed, HMAC_USER),
  unpacks('deflate', deflateRawSync, signed, HMAC_USER),
  row(
    'gzip, the limit exactly',
    sends('gzip', gzipSync(filled), byToken),
    { outcome: 'accepted', ...TOKEN_USER },
    isUnpacked(filled),
  ),
  row(
    'the header twice',
    (running) =>
      askRaw(running, wholePost(gzipSync(freshBody()), withToken, 'Content-Encoding: gzip', 'content-encoding: gzip')),
    { outcome: 'accepted', ...TOKEN_USER },
  ),
  keeps('one byte over the limit', 'gzip', gzipSync(`${filled} `), { outcome: 'body-too-large' }, 'body-too-large'),
  keeps('a bomb within a bomb', 'gzip', bombs.gzip, { outcome: 'unreadable-body', reason: 'not-json' }, 'not-json'),
  keeps('a bomb in br', 'br', bombs.br, { outcome: 'body-too-large' }, 'body-too-large'),
  keeps('a bomb in deflate', 'deflate', bombs.deflate, { outcome: 'body-too-large' }, 'body-too-large'),
  keeps('a bomb', 'gzip', bomb, { outcome: 'body-too-large' }, 'body-too-large'),
  keeps(
    'cut off',
    'gzip',
    whole.subarray(0, -9),
    { outcome: 'unreadable-body', reason: 'not-unpackable' },
    'not-unpackable',
  ),
  keeps('empty', 'br', new Uint8Array(), { outcome: 'unreadable-body', reason: 'not-unpackable' }, 'not-unpackable'),
  // A proxy that unpacked it has passed the old header on.
  ...['gzip', 'br', 'deflate'].map((coding) => ({
    ...unpacks(coding, (text) => Buffer.from(text)),
    name: `a plain body that says ${coding}`,
  })),
  keeps('no JSON within', 'gzip', notJson, { outcome: 'unreadable-body', reason: 'not-json' }, 'not-json'),
  keeps('zstd', 'zstd', zstd, { outcome: 'unsupported-encoding' }, 'unsupported-encoding'),
  keeps(
    'zstd by a signature',
    'zstd',
    zstdCompressSync(freshBody()),
    { outcome: 'unsupported-encoding', ...HMAC_USER },
    'unsupported-encoding',
    signed,
  ),
  row('zstd over the limit', sends('zstd', Buffer.alloc(LIMIT + 1), byToken), { outcome: 'unsupported-encoding' }),
]);

const OF_NOBODY: readonly [string, Proof, string][] = [
  ['nothing', () => ({}), 'missing'],
  ['a wrong token', () => ({ 'x-webhook-secret': MARK }), 'mismatch'],
  ['a wrong signature', () => signed(MARK), 'mismatch'],
];

runTable('content codings of anybody else', ENV, [
  ...OF_NOBODY.map(([name, proof, reason]) =>
    row(`gzip with ${name}`, sends('gzip', bomb, proof), { outcome: 'unauthenticated', reason }),
  ),
  ...OF_NOBODY.map(([name, proof]) =>
    row(`zstd with ${name}`, sends('zstd', zstd, proof), { outcome: 'unsupported-encoding' }),
  ),
  row(
    'a signature over what was packed',
    (running) => {
      const text = freshBody();
      return post(running, gzipSync(text), { ...signed(text), 'content-encoding': 'gzip' });
    },
    { outcome: 'unauthenticated', reason: 'mismatch' },
  ),
  row(
    'gzip, the body with both proofs required to be unpacked',
    (running) =>
      askRaw(running, wholePost(gzipSync(freshBody()), {}, ...fields(signed(MARK)), 'Content-Encoding: gzip')),
    { outcome: 'unauthenticated', reason: 'mismatch' },
  ),
]);
