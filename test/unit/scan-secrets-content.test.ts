import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Secret } from '../../src/config/secret.ts';
import { isPlaceholder } from '../../src/scan-secrets/is-placeholder.ts';
import { knownForms } from '../../src/scan-secrets/known-forms.ts';
import { maskPath, type ScanKeys, scanContent } from '../../src/scan-secrets/scan-content.ts';
import { makeGithubToken, makeInstantlyKey, makeToken, makeWebhookKey, settingLine } from '../support/made-secrets.ts';

const printKey = randomBytes(32);
const NONE: ScanKeys = { known: [], printKey };

const keysFor = (...values: string[]): ScanKeys => ({
  known: knownForms(values.map((value) => new Secret(value))),
  printKey,
});

const scan = (content: string | Uint8Array, keys = NONE, path = '.env') =>
  scanContent(typeof content === 'string' ? Buffer.from(content) : content, path, keys);

describe('a secret in use', () => {
  const value = makeToken();
  const keys = keysFor(value);

  test.each([
    ['bare', value],
    ['within a word', `x${value}x`],
    ['in a URL', `https://example.com/?token=${encodeURIComponent(value)}`],
    ['in base64', `data: ${Buffer.from(value).toString('base64')}`],
    ['in base64 with a line feed', Buffer.from(`${value}\n`).toString('base64')],
    ['before a password in base64', Buffer.from(`${value}:password`).toString('base64')],
    ['where a comment switches rules off', `# secretlint-disable\n${value}`],
  ])('%s', async (_, text) => {
    const { hits } = await scan(`first line\r\n\n${text}`, keys);
    const line = text.includes('\n') ? 4 : 3;
    expect(hits).toEqual([{ line, rule: 'known-secret', what: 'a secret that is in use', print: expect.any(String) }]);
  });

  test('with signs that a URL encodes', async () => {
    const odd = `${makeToken()}/+ü&`;
    expect((await scan(`?t=${encodeURIComponent(odd)}`, keysFor(odd))).hits).toHaveLength(1);
  });

  test('as the value of a setting it is told once, as in use', async () => {
    const { hits } = await scan(settingLine(value), keys);
    expect(hits.map(({ rule }) => rule)).toEqual(['known-secret']);
  });

  test('beside another secret, both are told', async () => {
    const { hits } = await scan(`${value} ${makeGithubToken()}`, keys);
    expect(hits.map(({ rule }) => rule)).toEqual(['known-secret', 'github']);
  });

  test('in a binary file, without a line', async () => {
    const { binary, hits } = await scan(Buffer.concat([Buffer.of(0, 1, 2), Buffer.from(value)]), keys);
    expect([binary, hits.map(({ line }) => line)]).toEqual([true, [null]]);
  });

  test('alone is looked for in a binary file', async () => {
    const text = `\0${makeGithubToken()} ${settingLine()}`;
    expect(await scan(text, keys)).toEqual({ binary: true, hits: [] });
  });

  test.each(['utf16le', 'utf16be'] as const)('in %s, as PowerShell writes it', async (encoding) => {
    const bytes = Buffer.from(`\ufeff\n${settingLine(value)}`, 'utf16le');
    const { binary, hits } = await scan(encoding === 'utf16le' ? bytes : bytes.swap16(), keys);
    expect([binary, hits.map(({ line, rule }) => [line, rule])]).toEqual([false, [[2, 'known-secret']]]);
  });

  test('is told before the rules are through', async () => {
    const order: string[] = [];
    await scanContent(Buffer.from(value), 'a', keys, async ({ hits }) => void order.push(`known ${hits.length}`));
    order.push('all');
    expect(order).toEqual(['known 1', 'all']);
  });

  test.each([
    ['of 16 characters, whatever it says', 'change-me-please', 1],
    ['a short one that means something', 'postgres', 0],
    ['a short one that means nothing', 'qzr4vnk8', 1],
    ['a very short one', 'qzr4vnk', 0],
  ])('%s', async (_, weak, count) => {
    expect((await scan(`the ${weak}`, keysFor(weak), 'a.txt')).hits).toHaveLength(count);
  });
});

test('the same secret has the same print, in this scan alone', async () => {
  const [token, other] = [makeToken(), makeToken()];
  const prints = async (key: Uint8Array, ...tokens: string[]) =>
    (await scan(tokens.map((one) => settingLine(one)).join(''), { known: [], printKey: key })).hits.map(
      ({ print }) => print,
    );
  const [first, second, third] = await prints(printKey, token, token, other);
  expect([first === second, first === third]).toEqual([true, false]);
  expect(await prints(randomBytes(32), token)).not.toEqual([first]);
});

test('a path is shown without the secrets in it', async () => {
  const [known, token] = [makeToken(), makeGithubToken()];
  expect(await maskPath(`old/${known}/${token}.txt`, keysFor(known))).toBe('old/[secret]/[secret].txt');
  expect(await maskPath('src/find-keys.ts', keysFor(known))).toBe('src/find-keys.ts');
});

describe('properties', () => {
  const secretArbitrary = fc.oneof(
    fc.constant(0).map(() => makeGithubToken()),
    fc.constant(0).map(() => makeInstantlyKey()),
    fc.constant(0).map(() => makeWebhookKey()),
    fc.constant(0).map(() => settingLine().trim()),
    fc.string({ minLength: 16, maxLength: 40 }).filter((text) => /^\S+$/.test(text)),
  );
  const partArbitrary = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), secretArbitrary);

  test('no output ever holds a secret, wherever it stands and however often', async () => {
    await fc.assert(
      fc.asyncProperty(secretArbitrary, fc.array(partArbitrary, { maxLength: 8 }), async (secret, parts) => {
        const keys = keysFor(secret);
        const value = secret.slice(secret.indexOf('=') + 1) || secret;
        const text = [...parts, secret, ...parts, secret].join(' ');
        const shown = JSON.stringify([await scan(text, keys), await maskPath(`a/${secret}/b`, keys)]);
        expect(shown.includes(secret) || (value.length >= 16 && shown.includes(value))).toBe(false);
        expect((await scan(text, keys)).hits.length).toBeGreaterThan(0);
      }),
      { numRuns: 150 },
    );
  });

  test('whatever the bytes, a file can be scanned', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.string({ unit: 'binary' }), async (bytes, path) => {
        const { hits } = await scan(bytes, keysFor(makeToken()), `a${path}`);
        expect(hits.every(({ line }) => line === null || line >= 1)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  test.each([
    ['/Hx9aQ0zT4bLk2WmR8vYc1Ns', false],
    ['/run/secrets/webhook', true],
    ['/Users/SamPorter/Projects/receiver/token', true],
    ['/opt/receiver2/etc/Token', true],
  ])('%s: is it a path? %s', (text, isPath) => {
    expect(isPlaceholder(text)).toBe(isPath);
  });

  test('what is random is no placeholder', () => {
    const encodings = fc.constantFrom('hex', 'base64url', 'base64' as const);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 64 }), encodings, (noise, encoding) => {
        // Of fast-check's own bytes many are all the same.
        const bytes = Buffer.from(noise.map((byte, at) => byte ^ (printKey[at % 32] ?? 0) ^ (at * 37)));
        expect(isPlaceholder(bytes.toString(encoding))).toBe(false);
      }),
    );
  });
});
