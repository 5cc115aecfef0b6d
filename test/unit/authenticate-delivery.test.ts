import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { AuthenticDelivery } from '../../src/authenticate/delivery.ts';
import * as door from '../../src/authenticate/index.ts';
import { authenticatorOf, BODY, hmacHex, KEY, SIGNATURE_HEADER, TOKEN, TOKEN_HEADER } from './authenticate-support.ts';

const { isAuthentic, restoreQuarantined } = door;
const rawHeaders = [TOKEN_HEADER, TOKEN];

function receive(contentType: string | null): door.AuthenticDelivery {
  const authenticator = authenticatorOf({ tokens: [TOKEN] });
  const inspection = authenticator.inspectHeaders(rawHeaders);
  if (inspection.verdict === 'refused') throw new Error('refused');
  const verification = authenticator.verify(inspection, BODY, contentType);
  if (!verification.authentic) throw new Error('rejected');
  return verification.delivery;
}

describe('a proven delivery', () => {
  test('carries the very bytes, and who sent them', () => {
    const delivery = receive('text/plain');
    expect(delivery).toMatchObject({ principal: 'instantly:token:1', source: 'webhook', contentType: 'text/plain' });
    expect(delivery.body).toBe(BODY);
    expect(receive(null).contentType).toBeNull();
    expect(isAuthentic(delivery)).toBe(true);
  });

  test('cannot be changed', () => {
    expect(() => Object.assign(receive(null), { body: Buffer.from('{}') })).toThrow(TypeError);
  });

  test('has no look-alike', () => {
    const delivery = receive(null);
    const { body, principal, source, contentType } = delivery;
    const lookAlikes = [
      { body, principal, source, contentType },
      { ...delivery },
      structuredClone(delivery),
      Object.create(AuthenticDelivery.prototype),
      Object.setPrototypeOf({ ...delivery }, Object.getPrototypeOf(delivery)),
      null,
      undefined,
      'instantly:token:1',
    ];
    expect(lookAlikes.map(isAuthentic)).toEqual(lookAlikes.map(() => false));
  });

  test('is not made by calling its constructor', () => {
    const fields = { body: BODY, principal: 'instantly:token:1', source: 'webhook', contentType: null };
    const make = (maker: unknown): unknown => Reflect.construct(AuthenticDelivery, [maker, fields]);
    expect(() => make(undefined)).toThrow(TypeError);
    expect(() => make(Symbol('maker'))).toThrow(TypeError);
  });
});

describe('an inspection', () => {
  const forged = { verdict: 'proven', tokenProven: true } as const;

  test('that nobody made proves nothing', () => {
    const authenticator = authenticatorOf({ tokens: [TOKEN] });
    expect(() => authenticator.verify(forged, BODY, null)).toThrow('did not let the inspection through');
  });

  test('that another authenticator made proves nothing', () => {
    const inspection = authenticatorOf({ tokens: [TOKEN] }).inspectHeaders(rawHeaders);
    if (inspection.verdict === 'refused') throw new Error('refused');
    expect(() => authenticatorOf({ tokens: [TOKEN] }).verify(inspection, BODY, null)).toThrow(
      'did not let the inspection through',
    );
  });

  test('that is pending cannot be turned into a proven one', () => {
    const authenticator = authenticatorOf({ keys: [KEY] });
    const inspection = authenticator.inspectHeaders([SIGNATURE_HEADER, hmacHex(KEY, Buffer.from('other'))]);
    expect(() => Object.assign(inspection, forged)).toThrow(TypeError);
  });
});

describe('a quarantined body', () => {
  const record = { body: BODY, contentType: 'application/json' };

  test.each(['instantly:hmac:1', 'instantly:token:12', 'instantly:hmac:2+instantly:token:1'])(
    'is restored under the sender proven when it came: %s',
    (principal) => {
      const delivery = restoreQuarantined({ ...record, principal });
      expect(isAuthentic(delivery)).toBe(true);
      expect(delivery).toMatchObject({ ...record, principal, source: 'quarantine' });
    },
  );

  test.each([
    'anonymous',
    '',
    'admin',
    'instantly:hmac:0',
    'instantly:hmac:1 ',
    'xinstantly:token:1',
    'instantly:token:1+',
  ])('is not restored where nobody was proven: %p', (principal) => {
    expect(() => restoreQuarantined({ ...record, principal })).toThrow(TypeError);
  });
});

describe('the door of the room', () => {
  test('lets out nothing that makes a delivery without proof', () => {
    expect(Object.keys(door).sort()).toEqual([
      'UnpackTimeout',
      'createAuthenticator',
      'createTokenReader',
      'digestToken',
      'digestsHeld',
      'fingerprintToken',
      'fingerprintTokens',
      'isAuthentic',
      'leadsTo',
      'markToken',
      'markingOf',
      'newMarking',
      'plainPath',
      'restoreLogged',
      'restoreQuarantined',
      'signHeaders',
      'tokenId',
      'unpack',
      'verifyWebhookSignature',
    ]);
  });

  test('is the only way in for the rest of the source', () => {
    const root = join(import.meta.dirname, '../../src');
    const outside = globSync('**/*.ts', { cwd: root }).filter((file) => !file.startsWith('authenticate'));
    const imports = outside.flatMap((file) => {
      const text = readFileSync(join(root, file), 'utf8');
      return [...text.matchAll(/['"][^'"]*\/authenticate\/([^'"]+)['"]/g)].map(([, target]) => `${file}: ${target}`);
    });
    expect(outside.length).toBeGreaterThan(0);
    expect(imports.filter((line) => !line.endsWith(': index.ts'))).toEqual([]);
  });
});
