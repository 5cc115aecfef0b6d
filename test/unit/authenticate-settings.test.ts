import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { createAuthenticator, signHeaders } from '../../src/authenticate/index.ts';
import { SettingsError } from '../../src/errors/problem.ts';
import { authenticatorOf, BODY, KEY, NOW, settingsOf, TOKEN } from './authenticate-support.ts';

function faultsOf(overrides: Parameters<typeof settingsOf>[0]): readonly string[] {
  try {
    createAuthenticator(settingsOf(overrides));
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  return [];
}

describe('settings that would let in nobody or anybody', () => {
  test.each([
    ['no secret at all', {}, [/INSTANTLY_WEBHOOK_TOKEN, INSTANTLY_SECRET/]],
    ['both, without a token', { keys: [KEY], require: 'both' }, [/both needs INSTANTLY_WEBHOOK_TOKEN/]],
    ['both, without a key', { tokens: [TOKEN], require: 'both' }, [/both needs INSTANTLY_SECRET/]],
    ['both, without either', { require: 'both' }, [/No secret is set/]],
    ['an empty key', { keys: [KEY, ''] }, [/INSTANTLY_SECRET: secret 2 /]],
    ['an empty token', { tokens: ['', TOKEN] }, [/INSTANTLY_WEBHOOK_TOKEN: secret 1 /]],
    [
      'an empty Standard Webhooks key',
      { keys: ['whsec_'], signatureScheme: 'standard-webhooks' },
      [/secret 1 .*whsec_/],
    ],
    [
      'a Standard Webhooks key that is not base64',
      { keys: [KEY], signatureScheme: 'standard-webhooks' },
      [/secret 1 .*whsec_/],
    ],
    [
      'several at once',
      { keys: ['', KEY, 'whsec_'], tokens: [''], signatureScheme: 'standard-webhooks' },
      [/SECRET: secret 1 /, /SECRET: secret 2 /, /SECRET: secret 3 /, /TOKEN: secret 1 /],
    ],
  ] as const)('%s', (_name, overrides, expected) => {
    const faults = faultsOf(overrides);
    expect(faults).toHaveLength(expected.length);
    for (const [index, pattern] of expected.entries()) expect(faults[index]).toMatch(pattern);
    expect(faults.join()).not.toContain(KEY);
    expect(() => signHeaders(settingsOf(overrides), BODY, NOW)).toThrow(SettingsError);
  });

  test('settings that are whole have no faults', () => {
    expect(faultsOf({ keys: [KEY], tokens: [TOKEN], require: 'both' })).toEqual([]);
    expect(faultsOf({ keys: ['whsec_c2VjcmV0'], signatureScheme: 'standard-webhooks' })).toEqual([]);
  });
});

test('an authenticator and what it hands out show no secret when printed', () => {
  const authenticator = authenticatorOf({ keys: [KEY], tokens: [TOKEN] });
  const inspection = authenticator.inspectHeaders(['x-webhook-secret', TOKEN]);
  const printed = [authenticator, inspection]
    .map((value) => inspect(value, { depth: 9, showHidden: true }) + JSON.stringify(value))
    .join();
  expect(printed).toContain('proven');
  for (const secret of [KEY, TOKEN]) {
    expect(printed).not.toContain(secret);
    expect(printed).not.toContain(Buffer.from(secret).toString('hex').match(/../g)?.join(' '));
  }
});
