import { createHmac, hkdfSync } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { deriveAuditKey, GENESIS_HASH, hashOf, parseMetadata, sealEntry } from '../../src/audit/chain.ts';
import type { AuditMetadata } from '../../src/audit/entry.ts';
import { draft } from '../../src/audit/make-draft.ts';
import { Secret } from '../../src/config/secret.ts';
import { uuid } from './audit-log-model.ts';

const key = Buffer.alloc(32, 7);
const writer = uuid(1);

function someDraft(metadata: AuditMetadata = { status: 200 }) {
  return draft({
    action: 'webhook.receive',
    userId: 'instantly:hmac:1',
    resource: '/webhooks/instantly',
    result: 'success',
    metadata,
    at: Date.UTC(2026, 7, 1),
    id: uuid(9),
  });
}

/** Texts as no honest caller writes them: lone surrogates, NUL, escapes, and names that objects treat specially. */
const anyText = fc.oneof(
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
  fc.constantFrom('__proto__', '7', '10', '-1', 'constructor', '\ud800', '\udc00x', '\0', '\\ud800', '"', '\u2028'),
);
const anyValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.oneof(
      anyText,
      fc.double(),
      fc.constantFrom(undefined, null, true, -0, 1e21, Number.NaN, Number.POSITIVE_INFINITY),
    ),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('record'),
  ),
  record: fc
    .array(fc.tuple(anyText, tie('value')), { maxLength: 4 })
    .map((pairs) => Object.fromEntries(pairs) as unknown as AuditMetadata),
}));

describe('sealEntry', () => {
  test('gives the first entry its place and hash', () => {
    const { metadataText, ...entry } = sealEntry(someDraft(), undefined, writer, key);
    const fields = [
      uuid(9),
      '2026-08-01T00:00:00.000Z',
      'webhook.receive',
      'instantly:hmac:1',
      '/webhooks/instantly',
      'success',
    ];
    const text = JSON.stringify([...fields, { status: 200 }, writer, 1, GENESIS_HASH]);
    expect(entry).toEqual({
      ...someDraft(),
      writer,
      seq: 1,
      prevHash: '0'.repeat(64),
      hash: createHmac('sha256', key).update(text).digest('hex'),
    });
    expect(metadataText).toBe('{"status":200}');
  });

  test('the hash never changes between releases', () => {
    expect(sealEntry(someDraft(), undefined, writer, key).hash).toBe(
      'f953cc3c7f6a667cf25cba5177ac42be94d1610cad089021e10bdc1eeab9d04f',
    );
  });

  test('continues from the head', () => {
    const first = sealEntry(someDraft(), undefined, writer, key);
    const second = sealEntry(someDraft(), first, writer, key);
    expect(second).toMatchObject({ writer, seq: 2, prevHash: first.hash });
    expect(second.hash).not.toBe(first.hash);
  });

  test('refuses the head of another chain', () => {
    const first = sealEntry(someDraft(), undefined, writer, key);
    expect(() => sealEntry(someDraft(), first, uuid(2), key)).toThrow('another chain');
  });

  test('every field takes part in the hash', () => {
    const { metadataText: _, ...entry } = sealEntry(someDraft(), undefined, writer, key);
    const changes = { seq: 2, result: 'failure', metadata: { status: 201 } } as const;
    for (const field of Object.keys(entry).filter((name) => name !== 'hash')) {
      const changed = { ...entry, [field]: field in changes ? changes[field as keyof typeof changes] : 'changed' };
      expect({ field, same: hashOf(changed, key) === entry.hash }).toEqual({ field, same: false });
    }
    expect(hashOf(entry, Buffer.alloc(32, 8))).not.toBe(entry.hash);
  });

  test('the hash holds for what comes back out of a store, whatever was put in', () => {
    fc.assert(
      fc.property(anyValue.record, anyText, anyText, (metadata, userId, resource) => {
        const sealed = sealEntry({ ...someDraft(metadata), metadata, userId, resource }, undefined, writer, key);
        // A database keeps UTF-8 without NUL.
        const kept = (text: string) => Buffer.from(text.replaceAll('\0', ''), 'utf8').toString('utf8');
        const { metadataText, ...entry } = sealed;
        const stored = {
          ...entry,
          userId: kept(entry.userId),
          resource: kept(entry.resource),
          metadata: parseMetadata(kept(metadataText)),
        };
        expect(JSON.stringify(stored.metadata)).toBe(metadataText);
        expect(hashOf(stored, key)).toBe(entry.hash);
        expect(hashOf(sealed, key)).toBe(entry.hash);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ['a BigInt', { n: 1n }],
    ['a circle', circle()],
    ['nothing', undefined],
    ['a list', []],
  ])('metadata that cannot be kept (%s) fails no commit and still holds', (_, metadata) => {
    const sealed = sealEntry(
      { ...someDraft(), metadata: metadata as unknown as AuditMetadata },
      undefined,
      writer,
      key,
    );
    expect(sealed.metadata).toEqual({ unreadable: true });
    expect(hashOf({ ...sealed, metadata: parseMetadata(sealed.metadataText) }, key)).toBe(sealed.hash);
  });
});

describe('parseMetadata', () => {
  test('gives back what was sealed', () => {
    expect(parseMetadata('{"a":[1,{"b":null}]}')).toEqual({ a: [1, { b: null }] });
  });

  test.each([
    ['white space', '{"status": 401}'],
    ['a name twice', '{"status":200,"status":401}'],
    ['another spelling of a number', '{"status":401.0}'],
    ['another spelling of a letter', '{"status":401,"\\u0061":1}'],
    ['broken JSON', '{"status":401'],
    ['a list', '[]'],
    ['null', 'null'],
    ['a number', '1'],
  ])('%s is not what was sealed', (_, text) => {
    expect(parseMetadata(text)).toEqual({ notAsSealed: text });
  });

  test('endless nesting harms nothing', () => {
    const deep = parseMetadata(`${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`);
    expect(Object.keys(deep)).toHaveLength(1);
  });
});

describe('deriveAuditKey', () => {
  const secret = new Secret('an audit key of some length');

  test('is HKDF under a label of its own', () => {
    const label = 'instantly-webhook-receiver audit chain v1';
    const expected = Buffer.from(hkdfSync('sha256', 'an audit key of some length', '', label, 32));
    expect(deriveAuditKey(secret).export()).toEqual(expected);
  });

  test('shows nothing of the key, and is not the secret itself', () => {
    const derived = deriveAuditKey(secret);
    expect(inspect(derived)).not.toContain('some length');
    const sealed = sealEntry(someDraft(), undefined, writer, derived);
    expect(sealed.hash).not.toBe(hashOf(sealed, Buffer.from(secret.reveal())));
    expect(sealed.hash).toBe(hashOf(sealed, derived));
  });
});

test('the types of an entry are nothing at run time', async () => {
  expect(Object.keys(await import('../../src/audit/entry.ts'))).toEqual([]);
});

describe('draft', () => {
  test('makes an id and leaves out what is undefined', () => {
    const made = draft({
      action: 'health.check',
      userId: 'anonymous',
      resource: '/healthz',
      result: 'success',
      metadata: { status: 200, reason: undefined, ip: null },
      at: 0,
    });
    expect(made.metadata).toStrictEqual({ status: 200, ip: null });
    expect(made.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(made.timestamp).toBe('1970-01-01T00:00:00.000Z');
  });

  test('takes no metadata for none', () => {
    const made = draft({ action: 'a.b', userId: 'service', resource: 'x', result: 'failure', at: 0 });
    expect(made.metadata).toStrictEqual({});
  });
});

function circle(): object {
  const self: { self?: object } = {};
  self.self = self;
  return self;
}
