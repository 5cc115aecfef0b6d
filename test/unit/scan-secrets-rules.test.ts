import { randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { isSecretSetting, SETTING_NAMES } from '../../src/config/catalogue.ts';
import { lintText } from '../../src/scan-secrets/lint-text.ts';
import {
  makeDatabaseUrl,
  makeGithubToken,
  makeInstantlyKey,
  makePrefixedKey,
  makeToken,
  makeWebhookKey,
} from '../support/made-secrets.ts';

const NAMES = SETTING_NAMES.filter((name) => isSecretSetting(name) && name !== 'DATABASE_URL');
const T = makeToken();

async function rulesFor(text: string, path = 'a.txt'): Promise<string[]> {
  return (await lintText(text, path)).map(({ rule }) => rule);
}

/** What of the text each rule takes for the secret. */
async function foundIn(text: string, path = 'a.txt'): Promise<string[]> {
  return (await lintText(text, path)).map(({ start, end }) => text.slice(start, end));
}

describe('a setting of ours with its value', () => {
  test.each(NAMES)('%s', async (name) => {
    expect(await lintText(`${name}=${T}`, '.env')).toEqual([
      {
        rule: 'receiver-setting',
        what: `${name} with its value`,
        start: name.length + 1,
        end: name.length + 1 + T.length,
      },
    ]);
  });

  test.each([
    ['.env', `INSTANTLY_SECRET=${T}`],
    ['.env', `INSTANTLY_SECRET = ${T}`],
    ['.env', `export INSTANTLY_SECRET="${T}"`],
    ['.env.example', `#INSTANTLY_SECRET=${T}`],
    ['run.sh', `docker run -e INSTANTLY_SECRET=${T} image`],
    ['run.sh', `INSTANTLY_SECRET='${T}' npm start`],
    ['run.sh', `INSTANTLY_SECRET="\${INSTANTLY_SECRET:-${T.replaceAll(/\d/g, 'x')}}" npm start`],
    ['README.md', `Set \`INSTANTLY_SECRET=${T}\` first.`],
    ['docker-compose.yml', `      - INSTANTLY_SECRET=${T}`],
    ['docker-compose.yml', `      INSTANTLY_SECRET: ${T}`],
    ['docker-compose.yml', `      INSTANTLY_SECRET: \${INSTANTLY_SECRET:-${T}}`],
    ['Dockerfile', `ENV INSTANTLY_SECRET ${T}`],
    ['Dockerfile', `ENV INSTANTLY_SECRET=${T}`],
    ['pod.yaml', `  - name: INSTANTLY_SECRET\n    value: ${T}\n`],
    ['pod.yaml', `  - name: "INSTANTLY_SECRET"\r\n    value: "${T}"\r\n`],
    ['task.json', `{ "name": "INSTANTLY_SECRET",\n  "value": "${T}" }`],
    ['settings.json', `{"INSTANTLY_SECRET":"${T}"}`],
    ['settings.ts', `process.env['INSTANTLY_SECRET'] = '${T}';`],
    ['settings.ts', `process.env.INSTANTLY_SECRET ??= '${T}';`],
    ['settings.ts', `const env = { INSTANTLY_SECRET: \`${T}\` };`],
    ['settings.py', `os.environ.setdefault("INSTANTLY_SECRET", "${T}")`],
    ['settings.rb', `{ 'INSTANTLY_SECRET' => '${T}' }`],
  ])('%s: %s', async (path, text) => {
    const [secret = ''] = await foundIn(text, path);
    expect([await rulesFor(text, path), secret.replaceAll(/\d/g, 'x')]).toEqual([
      ['receiver-setting'],
      T.replaceAll(/\d/g, 'x'),
    ]);
  });

  test.each([
    ['a list with one real value', `change-me-please,${T}`],
    ['a passphrase', 'correct-horse-battery-staple'],
    ['a short password', `hunter${2}hunter`],
    ['hexadecimal', randomBytes(16).toString('hex')],
    ['base64', `${randomBytes(31).toString('base64')}`],
  ])('%s is a value', async (_, value) => {
    expect(await rulesFor(`ADMIN_TOKEN=${value}`, '.env')).toEqual(['receiver-setting']);
  });

  test.each([
    ['nothing', ''],
    ['empty quotes', '""'],
    ['a variable', '$ADMIN_TOKEN'],
    ['a variable', '$\u007bADMIN_TOKEN}'],
    ['a variable that has to be set', '$\u007bADMIN_TOKEN:?required}'],
    ['a command', '$(cat secrets/admin-token)'],
    ['a variable of Windows', '%ADMIN_TOKEN%'],
    ['a template', '{{ .Values.adminToken }}'],
    ['a template', '"<your-admin-token>"'],
    ['a regular expression', '(.*)$/gm)].map('],
    ['a regular expression', '([^\\n]+)/m.exec(text)'],
    ['a regular expression', '(\\S+)/'],
    ['an address of a vault', 'op://vault/receiver/admin'],
    ['a path', '/run/secrets/admin-token'],
    ['a path', './secrets/admin'],
    ['change me', 'change-me'],
    ['change me', 'CHANGE_ME_PLEASE'],
    ['change me', 'changeme123'],
    ['words', 'your-secret-token-here'],
    ['words', 'key-of-sixteen-or-more'],
    ['words', '"YOUR TOKEN"'],
    ['counting', 'test-token-0123456789'],
    ['crosses', 'xxxxxxxxxxxxxxxxxxxx'],
    ['dots', 'abcd...'],
    ['dots', '…'],
    ['two of them', 'NEW_TOKEN,OLD_TOKEN'],
    ['short', 'a'],
  ])('%s is not: %s', async (_, value) => {
    for (const path of ['.env', 'compose.yaml', 'run.sh']) {
      expect(await rulesFor(`ADMIN_TOKEN=${value}\nADMIN_TOKEN: ${value}\n`, path)).toEqual([]);
    }
  });

  test.each([
    [`INSTANTLY_SECRET_FILE=/run/secrets/${T}`],
    [`ADMIN_TOKEN_HEADER=${T}`],
    [`OTHER_ADMIN_TOKEN=${T}`],
    [`the variable $ADMIN_TOKEN: ${T.slice(0, 8)}`],
    ['ADMIN_TOKEN: string;'],
    ['ADMIN_TOKEN: parseBearerToken,'],
    ['const ADMIN_TOKEN = process.env.ADMIN_TOKEN;'],
    ["{ ADMIN_TOKEN: 'generated' }"],
    ["missing('ADMIN_TOKEN', 'writing')"],
    ["['ADMIN_TOKEN', 'DATABASE_URL']"],
    ["run('--setting', 'ADMIN_TOKEN', '--json')"],
    ["['ADMIN_TOKEN', 'webhook-events.list']"],
    ["{ ADMIN_TOKEN: 'Bearer token of the console' }"],
  ])('something else: %s', async (text) => {
    expect(await rulesFor(text, 'settings.ts')).toEqual([]);
  });

  test.each([
    ['# Without METRICS_TOKEN: networks that GET /metrics answers.', 0],
    ['  # Set ADMIN_TOKEN: otherwise the console is off.', 0],
    [`# Set ADMIN_TOKEN: ${T}`, 1],
    [`# ADMIN_TOKEN: hunter${2}hunter`, 1],
    [`key: 1 # Set ADMIN_TOKEN=hunter${2}hunter`, 1],
  ])('in a comment of a file of settings: %s', async (text, count) => {
    for (const path of ['.env.example', 'compose.yaml'])
      expect(await rulesFor(`A=1\n${text}\n`, path)).toHaveLength(count);
  });
});

describe('an API key of Instantly', () => {
  const key = makeInstantlyKey();

  test('has 68 characters, as those that people describe', () => {
    expect([key.length, key.endsWith('==')]).toEqual([68, true]);
  });

  test.each([
    ['bare', key],
    ['in a header', `curl -H "Authorization: Bearer ${key}"`],
    ['in an address', `https://example.com/mcp/${key}/tools`],
    ['as a setting, once', `INSTANTLY_API_KEY=${key}`],
    ['without its padding', key.replace(/=+$/, '')],
  ])('%s', async (_, text) => {
    expect(await rulesFor(text)).toEqual(['instantly-api-key']);
  });

  test.each([8, 9, 16, 32, 64])('with %s random characters', async (count) => {
    expect(await rulesFor(`key: ${makeInstantlyKey('aB3dE6gH'.repeat(8).slice(0, count))}`)).toEqual([
      'instantly-api-key',
    ]);
  });

  test.each([
    ['a UUID alone', Buffer.from(randomUUID()).toString('base64')],
    ['a UUID and nothing much', makeInstantlyKey('ab')],
    ['other base64', randomBytes(49).toString('base64')],
    ['a part of longer base64', `${randomBytes(60).toString('base64')}${key}`.slice(0, 120)],
  ])('%s is none', async (_, text) => {
    expect(await rulesFor(text)).toEqual([]);
  });
});

describe.each([
  ['sk_live_', makePrefixedKey()],
  ['sk_test_', makePrefixedKey('test', 'aB3dE6gH9jK2')],
  ['sk_live_ and base64', makePrefixedKey('live', randomBytes(24).toString('base64url'))],
  ['base64', makeInstantlyKey()],
])('a key that begins as %s, wherever it stands', (_, key) => {
  test.each([
    ['a.ts', `const client = new Client('${key}');`],
    ['a.ts', `const client = new Client("${key}");`],
    ['a.ts', `fetch(\`https://api.example.com/v1?api_key=${key}&limit=1\`);`],
    ['a.py', `KEY = b"${key}"`],
    ['a.json', `{"apiKey":"${key}"}`],
    ['a.json', `{"env":"A=1\\n${key}\\nB=2"}`],
    ['a.yaml', `instantly:\n  key: ${key} # of the workspace\n`],
    ['.env', `KEY=${key}`],
    ['notes.md', `Our key (${key}), do not share.`],
    ['notes.md', `<${key}>, ${'`'}${'`'}`],
    ['a.url', `https://example.com/?next=%2Fa%3Fkey%3D${key}`],
    ['a.sh', `curl -H 'Authorization: Bearer ${key}' https://api.example.com`],
    ['a.sh', `curl -u ${key}: https://api.example.com`],
    ['a.http', `Authorization: Basic ${Buffer.from(`${key}:`).toString('base64')}`],
    ['secret.yaml', `data:\n  key: ${Buffer.from(key).toString('base64')}\n`],
    ['secret.yaml', `data:\n  key: ${Buffer.from(`${key}\n`).toString('base64')}\n`],
  ])('%s: %s', async (path, text) => {
    expect(await rulesFor(text, path)).toEqual(['instantly-api-key']);
  });
});

describe('what looks like a key and is none', () => {
  const image = (bytes: number): string => `data:image/png;base64,${randomBytes(bytes).toString('base64')}`;
  test.each([
    ['nothing behind it', 'sk_live_'],
    ['dots', 'sk_live_...'],
    ['an ellipsis', 'sk_live_…'],
    ['crosses', `sk_live_${'x'.repeat(24)}`],
    ['words', 'sk_live_your_key_here'],
    ['words', 'sk_test_YOUR_API_KEY'],
    ['a template', 'sk_live_$\u007bkey}'],
    ['a variable', 'sk_live_webhook_handler_count'],
    ['too short', 'sk_live_a1b2'],
    ['a part of a word', `task_live_${randomBytes(12).toString('hex')}`],
    ['a part of a word', `desk_test_${randomBytes(12).toString('hex')}`],
    ['SHA-256', randomBytes(32).toString('hex')],
    ['SHA-512 in base64', `"integrity": "sha512-${randomBytes(64).toString('base64')}"`],
    ['a small image', image(90)],
    ['an image', image(20_000)],
    ['a text in base64', Buffer.from('The quick brown fox jumps over the lazy dog, twice.').toString('base64')],
    ['a UUID', randomUUID()],
  ])('%s: %s', async (_, text) => {
    expect(await rulesFor(`value: ${text}\n`, 'a.yaml')).toEqual([]);
  });
});

describe('other keys', () => {
  test('of Standard Webhooks, though it begins with a slash as a path does', async () => {
    const key = `whsec_${'/DLUGqveamu2BQxf'}${'yY25vSm/AzGPqoCn'}`;
    expect(await foundIn(`secret: "${key}"`)).toEqual([key]);
  });

  test.each([16, 24, 32, 64])('of Standard Webhooks, %s bytes', async (bytes) => {
    const key = makeWebhookKey(bytes);
    expect([await rulesFor(`secret: "${key}"`), await foundIn(`secret: "${key}"`)]).toEqual([
      ['standard-webhooks-key'],
      [key],
    ]);
  });

  test.each(['whsec_', 'whsec_…', 'whsec_abc', `whsec_${'A'.repeat(32)}`, 'whsec_yoursecretkeygoeshereplease'])(
    '%s is none',
    async (text) => {
      expect(await rulesFor(text)).toEqual([]);
    },
  );

  test("the specification's own example is none", async () => {
    const vectors = readFileSync(new URL('../vectors/standard-webhooks.test.ts', import.meta.url), 'utf8');
    const [example = ''] = /whsec_[A-Za-z0-9+/]+/.exec(vectors) ?? [];
    expect([example.length, await rulesFor(example)]).toEqual([38, []]);
  });

  test('a PostgreSQL address with its password', async () => {
    expect(await rulesFor(makeDatabaseUrl())).toEqual(['database-connection-string']);
    const [, password = ''] = /:([0-9a-f]+)@/.exec(makeDatabaseUrl()) ?? [];
    const inQuery = `postgresql://db.internal/receiver?user=receiver&password=${password}`;
    expect([await rulesFor(inQuery), await foundIn(inQuery)]).toEqual([['postgres-password'], [password]]);
    expect(await rulesFor('postgres://receiver@db.internal/receiver?sslmode=require')).toEqual([]);
    expect(await rulesFor('postgres://receiver@db.internal/receiver?password=$PGPASSWORD')).toEqual([]);
  });

  test("those of secretlint's preset", async () => {
    expect(await lintText(`token ${makeGithubToken()}`, 'a.txt')).toEqual([
      { rule: 'github', what: 'GITHUB_TOKEN', start: 6, end: 46 },
    ]);
  });
});

describe('comments switch a rule off', () => {
  const line = `INSTANTLY_SECRET=${T}`;

  test.each([
    [`${line} # secretlint-disable-line`, 0],
    [`# secretlint-disable-next-line\n${line}`, 0],
    [`# secretlint-disable-next-line receiver-setting -- an example\n${line}`, 0],
    [`# secretlint-disable-next-line github\n${line}`, 1],
    [`# secretlint-disable\n${line}\n# secretlint-enable\n${line}`, 1],
  ])('%#', async (text, count) => {
    expect(await rulesFor(text, '.env')).toHaveLength(count);
  });
});

test('our own code and documents are clean', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const files = ['src', 'docs', 'deploy', 'handlers', 'README.md', '.env.example', 'docker-compose.yml'].flatMap(
    (name) =>
      /\.|README/.test(name)
        ? [name]
        : readdirSync(join(root, name), { recursive: true, withFileTypes: true })
            .filter((entry) => entry.isFile())
            .map((entry) => join(entry.parentPath, entry.name).slice(root.length)),
  );
  const found = await Promise.all(
    files.map(async (file) => [file, await rulesFor(readFileSync(join(root, file), 'utf8'), file)]),
  );
  expect(found.filter(([, rules]) => rules?.length !== 0)).toEqual([]);
  expect(files.length).toBeGreaterThan(100);
});
