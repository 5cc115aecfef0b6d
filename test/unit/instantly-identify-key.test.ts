import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { Secret } from '../../src/config/secret.ts';
import { identifyKey } from '../../src/instantly/identify-key.ts';
import type { ListedApiKey } from '../../src/instantly/schemas.ts';
import { makeInstantlyKey } from '../support/made-secrets.ts';

const OWN = 'abcdefghijklmnopqrstuvwxyz012345';

function listed(key: string | undefined, id: string = randomUUID()): ListedApiKey {
  return { id, scopes: ['webhooks:read'], key };
}

const others = [listed('...9999'), listed('zzzz****yyyy'), listed(undefined), listed('')];

test.each<[string, ListedApiKey, 'key' | 'mask']>([
  ['by its whole text', listed(OWN), 'key'],
  ['by its end', listed('...2345'), 'mask'],
  ['by its start', listed('abcd...'), 'mask'],
  ['by both, and stars', listed('ab**********45'), 'mask'],
  ['by dots of a typographer', listed('abcde…012345'), 'mask'],
  ['by bullets', listed('••••••012345'), 'mask'],
])('told %s', (_, own, by) => {
  expect(identifyKey([...others, own], new Secret(OWN))).toEqual({ entry: own, by });
  expect(identifyKey([own, ...others], new Secret(OWN))).toEqual({ entry: own, by });
});

test.each<[string, readonly ListedApiKey[]]>([
  ['no list', []],
  ['others alone', others],
  ['two with the same ends', [listed('...2345'), listed('abcd...2345')]],
  ['too little seen', [listed('...345')]],
  ['nothing seen', [listed('...'), listed('********')]],
  ['more seen than the key has', [listed(`${OWN}...${OWN}`)]],
  ['the end where the start should be', [listed('2345...')]],
])('not told: %s', (_, list) => {
  expect(identifyKey(list, new Secret(OWN))).toBeUndefined();
});

test('told by the id in it, whatever the masks say', () => {
  const key = makeInstantlyKey();
  const [id = ''] = Buffer.from(key, 'base64').toString('latin1').split(':');
  const own = listed('...', id.toUpperCase());
  const twins = [listed(`...${key.slice(-4)}`), listed(`...${key.slice(-4)}`)];
  expect(identifyKey([...twins, own], new Secret(key))).toEqual({ entry: own, by: 'key' });
});
