import { expect, test } from '@jest/globals';
import {
  createAuthenticator,
  digestToken,
  fingerprintToken,
  fingerprintTokens,
  isAuthentic,
  restoreLogged,
  type TokenChanges,
  tokenId,
} from '../../src/authenticate/index.ts';
import { Secret } from '../../src/config/secret.ts';
import { NOW, OLD_TOKEN, outcomeOf, settingsOf, TOKEN, TOKEN_HEADER } from './authenticate-support.ts';

const MINTED = 'a-token-known-by-its-digest';

function outcomes(tokens: readonly string[], changes: TokenChanges): string[] {
  const authenticator = createAuthenticator(settingsOf({ tokens }), () => NOW, changes);
  return [TOKEN, OLD_TOKEN, MINTED].map((token) => outcomeOf(authenticator, [TOKEN_HEADER, token]));
}

const minted = [digestToken(MINTED)];

test('a token known by its digest lets in, under the position after those of the settings', () => {
  expect(outcomes([TOKEN, OLD_TOKEN], { minted, retired: new Set() })).toEqual([
    'instantly:token:1',
    'instantly:token:2',
    'instantly:token:3',
  ]);
});

test('a retired one lets nobody in, and the others keep their positions', () => {
  expect(outcomes([TOKEN, OLD_TOKEN], { minted, retired: new Set([1]) })).toEqual([
    'refused: mismatch',
    'instantly:token:2',
    'instantly:token:3',
  ]);
});

test('where all are retired everything is refused', () => {
  expect(new Set(outcomes([TOKEN, OLD_TOKEN], { minted: [], retired: new Set([1, 2]) }))).toEqual(
    new Set(['refused: mismatch']),
  );
});

test('one in doubt lets nobody in for now, and is told from a wrong one', () => {
  const changes = { minted, retired: new Set([2]), doubtful: new Set([1]) };
  expect(outcomes([TOKEN, OLD_TOKEN], changes)).toEqual([
    'refused: doubtful',
    'refused: mismatch',
    'instantly:token:3',
  ]);
});

test('the digest itself is no token', () => {
  const authenticator = createAuthenticator(settingsOf({ tokens: [TOKEN] }), () => NOW, { minted, retired: new Set() });
  const digest = digestToken(MINTED);
  for (const text of [digest.toString('hex'), digest.toString('base64'), digest.toString('latin1')]) {
    expect(outcomeOf(authenticator, [TOKEN_HEADER, text])).toBe('refused: mismatch');
  }
});

test('a fingerprint tells tokens apart, and needs the audit key', () => {
  const of = (key: string, token: string): string => fingerprintToken(new Secret(key), digestToken(token));
  expect(of('key', TOKEN)).toMatch(/^[0-9a-f]{32}$/);
  expect(of('key', TOKEN)).toBe(of('key', TOKEN));
  expect(new Set([of('key', TOKEN), of('key', OLD_TOKEN), of('other', TOKEN)]).size).toBe(3);
  expect(fingerprintTokens(new Secret('key'), [new Secret(TOKEN), new Secret(OLD_TOKEN)])).toEqual([
    of('key', TOKEN),
    of('key', OLD_TOKEN),
  ]);
  expect(tokenId(of('key', TOKEN))).toBe(of('key', TOKEN).slice(0, 12));
});

const URL = 'https://hooks.example.com/webhooks/instantly';

test('a payload of the delivery log for our URL is vouched for', () => {
  const delivery = restoreLogged({ payload: { event_type: 'email_sent' }, webhookUrl: URL }, URL);
  const bytes = Buffer.from('{"event_type":"email_sent"}');
  expect(restoreLogged({ payload: bytes, webhookUrl: URL }, URL).body).toBe(bytes);
  expect(isAuthentic(delivery)).toBe(true);
  expect(delivery).toMatchObject({ principal: 'instantly:log', source: 'reconcile', contentType: 'application/json' });
  expect(Buffer.from(delivery.body).toString()).toBe('{"event_type":"email_sent"}');
});

test.each([`${URL}?from=instantly`, URL.replace('hooks', 'HOOKS'), `${URL}/`])(
  'as is one for %s, which somebody has written in his way',
  (webhookUrl) => {
    expect(isAuthentic(restoreLogged({ payload: {}, webhookUrl }, URL))).toBe(true);
  },
);

test.each([
  ['for another URL', {}, `${URL}/2`],
  ['for another host', {}, URL.replace('hooks.', 'hook.')],
  ['for what is no URL', {}, ''],
  ['that is a list', [], URL],
  ['that is null', null, URL],
  ['that is text', '{}', URL],
])('one %s is not', (_name, payload, webhookUrl) => {
  expect(() => restoreLogged({ payload, webhookUrl }, URL)).toThrow(TypeError);
});
