import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { SignatureScheme } from '../../src/config/signature-schemes.ts';
import {
  authenticatorOf,
  hmacHex,
  KEY,
  NOW_SECONDS,
  outcomeOf,
  SIGNATURE_HEADER,
  TIMESTAMP_HEADER,
  TOKEN,
  TOKEN_HEADER,
} from './authenticate-support.ts';

const keyBytes = Buffer.from('a signing key of 32 bytes, first');
const bytes = fc.oneof(
  fc.uint8Array(),
  fc.json().map((text) => Uint8Array.from(Buffer.from(text))),
);

interface SchemeUnderTest {
  readonly name: SignatureScheme;
  readonly key: string;
  /** Everything of a right request, the signature as its 32 bytes. */
  readonly signature: (body: Uint8Array) => Buffer;
  readonly headers: (signature: Uint8Array) => string[];
}

const SCHEMES: readonly SchemeUnderTest[] = [
  {
    name: 'body',
    key: KEY,
    signature: (body) => Buffer.from(hmacHex(KEY, body), 'hex'),
    headers: (signature) => [SIGNATURE_HEADER, Buffer.from(signature).toString('hex')],
  },
  {
    name: 'timestamped',
    key: KEY,
    signature: (body) => Buffer.from(hmacHex(KEY, body, `${NOW_SECONDS}.`), 'hex'),
    headers: (signature) => [
      SIGNATURE_HEADER,
      Buffer.from(signature).toString('hex'),
      TIMESTAMP_HEADER,
      `${NOW_SECONDS}`,
    ],
  },
  {
    name: 'standard-webhooks',
    key: `whsec_${keyBytes.toString('base64')}`,
    signature: (body) => createHmac('sha256', keyBytes).update(`msg_1.${NOW_SECONDS}.`).update(body).digest(),
    headers: (signature) => [
      'webhook-signature',
      `v1,${Buffer.from(signature).toString('base64')}`,
      'webhook-id',
      'msg_1',
      'webhook-timestamp',
      `${NOW_SECONDS}`,
    ],
  },
  {
    name: 'svix',
    key: `whsec_${keyBytes.toString('base64')}`,
    signature: (body) => createHmac('sha256', keyBytes).update(`msg_1.${NOW_SECONDS}.`).update(body).digest(),
    headers: (signature) => [
      'svix-signature',
      `v1,${Buffer.from(signature).toString('base64')}`,
      'svix-id',
      'msg_1',
      'svix-timestamp',
      `${NOW_SECONDS}`,
    ],
  },
  {
    name: 'hookdeck',
    key: KEY,
    signature: (body) => Buffer.from(hmacHex(KEY, body), 'hex'),
    headers: (signature) => ['x-hookdeck-signature', Buffer.from(signature).toString('base64')],
  },
  {
    name: 'convoy',
    key: KEY,
    signature: (body) => Buffer.from(hmacHex(KEY, body, `${NOW_SECONDS},`), 'hex'),
    headers: (signature) => ['x-convoy-signature', `t=${NOW_SECONDS},v1=${Buffer.from(signature).toString('hex')}`],
  },
];

function flipBit(value: Uint8Array, bit: number): Uint8Array {
  const changed = Uint8Array.from(value);
  const index = Math.floor(bit / 8);
  changed[index] = (changed[index] ?? 0) ^ (1 << (bit % 8));
  return changed;
}

describe.each(SCHEMES)('scheme $name', ({ name, key, signature, headers }) => {
  const authenticator = authenticatorOf({ keys: [key], signatureScheme: name });

  test('a right signature is accepted whatever the body is', () => {
    fc.assert(
      fc.property(bytes, (body) => {
        expect(outcomeOf(authenticator, headers(signature(body)), body)).toBe('instantly:hmac:1');
      }),
      { examples: [[new Uint8Array()], [Uint8Array.of(0xff, 0xfe, 0x00)], [Uint8Array.of(0xef, 0xbb, 0xbf)]] },
    );
  });

  test('one changed bit of the body is refused', () => {
    const changed = fc
      .uint8Array({ minLength: 1 })
      .chain((body) => fc.tuple(fc.constant(body), fc.nat(body.length * 8 - 1)));
    fc.assert(
      fc.property(changed, ([body, bit]) => {
        expect(outcomeOf(authenticator, headers(signature(body)), flipBit(body, bit))).toBe('rejected: mismatch');
      }),
    );
  });

  test('one changed bit of the signature is refused, each of them', () => {
    const body = Buffer.from('{}');
    const outcomes = Array.from({ length: 256 }, (_, bit) =>
      outcomeOf(authenticator, headers(flipBit(signature(body), bit)), body),
    );
    expect(new Set(outcomes)).toEqual(new Set(['rejected: mismatch']));
  });

  test('one changed bit of the signature as it is written is refused, save the case of a hex digit and the version of Convoy', () => {
    const body = Buffer.from('{}');
    const right = headers(signature(body));
    const text = Buffer.from(right[1] ?? '', 'latin1');
    const accepted = Array.from({ length: text.length * 8 }, (_, bit) => {
      const written = Buffer.from(flipBit(text, bit)).toString('latin1');
      const isHex = name === 'body' || name === 'timestamped' || name === 'convoy';
      const onlyCase = isHex && written.toLowerCase().replace(/,v\d=/, ',v1=') === text.toString('latin1');
      const outcome = outcomeOf(authenticator, [right[0] ?? '', written, ...right.slice(2)], body);
      return outcome === 'instantly:hmac:1' && !onlyCase ? written : undefined;
    });
    expect(accepted.filter((written) => written !== undefined)).toEqual([]);
  });

  test('one taken or added byte of the body is refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), fc.nat(255), (body, byte) => {
        const right = headers(signature(body));
        expect(outcomeOf(authenticator, right, body.subarray(1))).toBe('rejected: mismatch');
        expect(outcomeOf(authenticator, right, body.subarray(0, -1))).toBe('rejected: mismatch');
        expect(outcomeOf(authenticator, right, Uint8Array.of(...body, byte))).toBe('rejected: mismatch');
      }),
    );
  });
});

describe('what an unproven caller may send', () => {
  const names = [
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    TOKEN_HEADER,
    'authorization',
    'webhook-id',
    'webhook-timestamp',
    'webhook-signature',
    ...SCHEMES.flatMap(({ headers }) => headers(Buffer.alloc(32)).filter((_, index) => index % 2 === 0)),
  ];
  // Near to right, so that the checks behind the first one are reached as well.
  const value = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.constantFrom(`${NOW_SECONDS}`, 'msg_1', '', '__proto__'),
    fc.uint8Array({ minLength: 32, maxLength: 32 }).map((digest) => Buffer.from(digest).toString('hex')),
    fc.uint8Array({ minLength: 32, maxLength: 32 }).map((digest) => `v1,${Buffer.from(digest).toString('base64')}`),
    fc
      .uint8Array({ minLength: 32, maxLength: 32 })
      .map((digest) => `t=${NOW_SECONDS},v1=${Buffer.from(digest).toString('base64')}`),
    fc.base64String().map((text) => `Basic ${text}`),
    fc.string().map((text) => `Bearer ${text}`),
  );
  const name = fc.oneof(fc.constantFrom(...names), fc.string());
  const rawHeaders = fc.array(fc.tuple(name, value), { maxLength: 8 }).map((pairs) => pairs.flat());

  test.each(
    SCHEMES.flatMap(({ name: scheme, key }) =>
      (['any', 'both'] as const).flatMap((require) =>
        [TOKEN_HEADER, 'authorization'].map((header) => [scheme, require, header, key] as const),
      ),
    ),
  )('is never accepted and never throws: %s, %s, token in %s', (signatureScheme, require, tokenHeader, key) => {
    const authenticator = authenticatorOf({ keys: [key], tokens: [TOKEN], signatureScheme, require, tokenHeader });
    fc.assert(
      fc.property(rawHeaders, fc.uint8Array(), (headers, body) => {
        expect(outcomeOf(authenticator, headers, body)).toMatch(/^re(fused|jected): /);
      }),
    );
  });

  test('is never accepted and never throws: an odd list of headers', () => {
    const authenticator = authenticatorOf({ keys: [KEY], tokens: [TOKEN] });
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(...names), fc.string())), (headers) => {
        expect(outcomeOf(authenticator, headers)).toMatch(/^re(fused|jected): /);
      }),
    );
  });
});
