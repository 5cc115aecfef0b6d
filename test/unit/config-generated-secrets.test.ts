import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { writeNewFile } from '../../src/config/write-new-file.ts';
import { faultsOf, KEY, load, makeFolder, TOKEN, writeIn } from './config-support.ts';

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);
const inData = (cwd: string, name: string) => join(cwd, 'data', name);

describe('without a secret', () => {
  test('one of each kind is made, kept for this user alone, and read again', () => {
    const cwd = makeFolder();
    const first = load({}, cwd);
    expect(first.generatedSecrets).toEqual([
      { name: 'INSTANTLY_SECRET', file: inData(cwd, 'instantly-secret'), created: true },
      { name: 'INSTANTLY_WEBHOOK_TOKEN', file: inData(cwd, 'webhook-token'), created: true },
      { name: 'AUDIT_KEY', file: inData(cwd, 'audit-key'), created: true },
    ]);
    expect(readdirSync(join(cwd, 'data')).toSorted()).toEqual(['audit-key', 'instantly-secret', 'webhook-token']);
    expect(modeOf(join(cwd, 'data'))).toBe('700');
    const values = first.generatedSecrets.map(({ file }) => {
      expect(modeOf(file)).toBe('600');
      return readFileSync(file, 'utf8');
    });
    for (const value of values) expect(value).toMatch(/^[A-Za-z0-9_-]{43}\n$/);
    expect(new Set(values).size).toBe(3);
    expect(`${first.authentication.signatureKeys[0]?.reveal()}\n`).toBe(values[0]);
    expect(`${first.authentication.tokens[0]?.reveal()}\n`).toBe(values[1]);
    expect(`${first.audit.key.reveal()}\n`).toBe(values[2]);
    expect(first.warnings).toEqual([]);

    const second = load({}, cwd);
    expect(second.generatedSecrets.map(({ created }) => created)).toEqual([false, false, false]);
    expect(second.authentication.tokens[0]?.reveal()).toBe(first.authentication.tokens[0]?.reveal());
    expect(second.audit.key.reveal()).toBe(first.audit.key.reveal());
    expect(second.secretOrigins).toEqual({
      INSTANTLY_SECRET: 'generated',
      INSTANTLY_WEBHOOK_TOKEN: 'generated',
      AUDIT_KEY: 'generated',
    });
  });

  test.each([
    ['INSTANTLY_SECRET', KEY],
    ['INSTANTLY_WEBHOOK_TOKEN', TOKEN],
  ])('%s alone is enough: nothing is made beside it', (name, value) => {
    const cwd = makeFolder();
    load({}, cwd);
    const settings = load({ [name]: value, AUDIT_KEY: `${KEY}-audit` }, cwd);
    expect(settings.generatedSecrets).toEqual([]);
    const { signatureKeys, tokens } = settings.authentication;
    expect([...signatureKeys, ...tokens].map((secret) => secret.reveal())).toEqual([value]);
  });

  test('the signing key fits the scheme', () => {
    const cwd = makeFolder();
    const settings = load({ INSTANTLY_SIGNATURE_SCHEME: 'standard-webhooks' }, cwd);
    const key = settings.authentication.signatureKeys[0]?.reveal() ?? '';
    expect(key.startsWith('whsec_')).toBe(true);
    expect(Buffer.from(key.slice(6), 'base64')).toHaveLength(32);
  });

  test('a kept key that does not fit a scheme chosen later is a fault with its fix', () => {
    const cwd = makeFolder();
    load({}, cwd);
    const faults = faultsOf({ INSTANTLY_SIGNATURE_SCHEME: 'standard-webhooks' }, cwd);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(
      `INSTANTLY_SECRET is not set, and the one kept at ${JSON.stringify(inData(cwd, 'instantly-secret'))}`,
    );
    expect(faults[0]).toContain('delete the file');
  });

  test('both kinds satisfy INSTANTLY_REQUIRE=both', () => {
    const { authentication } = load({ INSTANTLY_REQUIRE: 'both' });
    expect([authentication.signatureKeys.length, authentication.tokens.length]).toEqual([1, 1]);
  });

  test('a folder that exists keeps its mode, and its other files', () => {
    const cwd = makeFolder();
    mkdirSync(join(cwd, 'data'), { mode: 0o755 });
    writeIn(cwd, 'data/notes', 'x');
    load({}, cwd);
    expect(modeOf(join(cwd, 'data'))).toBe('755');
    expect(readFileSync(inData(cwd, 'notes'), 'utf8')).toBe('x');
  });
});

describe('a kept secret', () => {
  test('open to others gives a warning that names the mode and the mending', () => {
    const cwd = makeFolder();
    load({}, cwd);
    chmodSync(inData(cwd, 'webhook-token'), 0o640);
    chmodSync(inData(cwd, 'audit-key'), 0o604);
    const file = JSON.stringify(inData(cwd, 'audit-key'));
    // The group of this user has no other members.
    expect(load({}, cwd).warnings).toEqual([
      `AUDIT_KEY is kept at ${file}, which every user of this machine may read (mode 0604); run: chmod 600 ${file}`,
    ]);
  });

  test('that is spoilt is a fault each, all at once', () => {
    const cwd = makeFolder();
    load({}, cwd);
    writeIn(cwd, 'data/webhook-token', 'short\n');
    writeIn(cwd, 'data/audit-key', '\n');
    rmSync(inData(cwd, 'instantly-secret'));
    mkdirSync(inData(cwd, 'instantly-secret'));
    const at = (name: string) => JSON.stringify(inData(cwd, name));
    expect(faultsOf({}, cwd)).toEqual([
      `INSTANTLY_SECRET is not set, and the one kept at ${at('instantly-secret')} cannot be read (EISDIR, it is a folder); set INSTANTLY_SECRET, or mend the file`,
      `INSTANTLY_WEBHOOK_TOKEN is not set, and the one kept at ${at('webhook-token')} has a key that is shorter than 16 characters; make a new one with the command "secrets new"; or set INSTANTLY_WEBHOOK_TOKEN, or delete the file`,
      `AUDIT_KEY is not set, and the one kept at ${at('audit-key')} is empty; or set AUDIT_KEY, or delete the file`,
    ]);
  });

  test('behind a dangling link is a fault, never a receiver without a secret', () => {
    const cwd = makeFolder();
    mkdirSync(join(cwd, 'data'));
    symlinkSync(join(cwd, 'gone'), inData(cwd, 'webhook-token'));
    expect(faultsOf({}, cwd)[0]).toContain('cannot be read (ENOENT, no such file); set INSTANTLY_WEBHOOK_TOKEN');
  });
});

test('a data folder that cannot be made is a fault that names its setting', () => {
  const cwd = makeFolder();
  writeIn(cwd, 'file', '');
  expect(faultsOf({ DATABASE_URL: 'sqlite:file/sub/x.db' }, cwd)).toEqual([
    `DATABASE_URL names a file in ${JSON.stringify(join(cwd, 'file/sub'))}, a folder that cannot be made (ENOTDIR); name another or let this user make it`,
  ]);
});

describe('the audit key in production', () => {
  const PRODUCTION = { NODE_ENV: 'production', INSTANTLY_WEBHOOK_TOKEN: TOKEN };
  const advice = (file: string) =>
    `the audit key lies at ${JSON.stringify(file)}, beside the entries it seals: whoever can change them there can seal them anew; keep it outside the data folder and set AUDIT_KEY_FILE`;

  test('is made where none is set, with a warning', () => {
    const cwd = makeFolder();
    const settings = load(PRODUCTION, cwd);
    const file = inData(cwd, 'audit-key');
    expect(settings.generatedSecrets).toEqual([{ name: 'AUDIT_KEY', file, created: true }]);
    expect(settings.warnings).toEqual([advice(file)]);
  });

  test.each(['data/key', 'data/sub/key', './data/../data/key', 'data/..key'])(
    'named by AUDIT_KEY_FILE within the data folder (%s) gives it too',
    (path) => {
      const cwd = makeFolder();
      mkdirSync(join(cwd, 'data'), { mode: 0o700 });
      const file = writeIn(cwd, path, KEY);
      expect(load({ ...PRODUCTION, AUDIT_KEY_FILE: path }, cwd).warnings).toEqual([advice(file)]);
    },
  );

  test('reached through a link into the data folder gives it too', () => {
    const cwd = makeFolder();
    writeIn(cwd, 'data/key', KEY);
    symlinkSync(join(cwd, 'data'), join(cwd, 'elsewhere'));
    expect(load({ ...PRODUCTION, AUDIT_KEY_FILE: 'elsewhere/key' }, cwd).warnings).toHaveLength(1);
  });

  test.each(['key', 'data-keys/key', '..key'])('outside of it (%s) is as it should be', (path) => {
    const cwd = makeFolder();
    writeIn(cwd, path, KEY);
    expect(load({ ...PRODUCTION, AUDIT_KEY_FILE: path }, cwd).warnings).toEqual([]);
  });

  test('elsewhere than in production is left without a word', () => {
    const cwd = makeFolder();
    writeIn(cwd, 'data/key', KEY);
    expect(load({ AUDIT_KEY_FILE: 'data/key' }, cwd).warnings).toEqual([]);
  });
});

describe('the audit key of a PostgreSQL database', () => {
  const POSTGRES = { DATABASE_URL: 'postgres://u:p@localhost/d', SPILL_DATABASE_URL: 'sqlite:spill/s.db' };
  const PRODUCTION = { ...POSTGRES, NODE_ENV: 'production', INSTANTLY_WEBHOOK_TOKEN: TOKEN };
  const MISSING =
    'AUDIT_KEY must be set with PostgreSQL and NODE_ENV=production: all replicas and commands share one audit log and need the same key; the command "secrets new --kind audit" makes one';

  test.each(['all', 'receiver', 'worker'])('must be set in production, for %s too', (role) => {
    const cwd = makeFolder();
    expect(faultsOf({ ...PRODUCTION, ROLE: role }, cwd)).toEqual([MISSING]);
    expect(readdirSync(cwd)).toEqual([]);
    expect(faultsOf({ ...PRODUCTION, ROLE: role, AUDIT_KEY: KEY }, cwd)).toEqual([]);
  });

  test('in production is never the one that an earlier start made: a command fails for want of it', () => {
    const cwd = makeFolder();
    load(POSTGRES, cwd);
    expect(faultsOf(PRODUCTION, cwd)).toEqual([MISSING]);
    const { audit } = load(PRODUCTION, cwd, false);
    expect(() => audit.key).toThrow(MISSING);
  });

  test('elsewhere is made beside the spill, with a warning', () => {
    const cwd = makeFolder();
    const file = join(cwd, 'spill/audit-key');
    const { generatedSecrets, warnings, audit } = load({ ...POSTGRES, INSTANTLY_WEBHOOK_TOKEN: TOKEN }, cwd);
    expect(generatedSecrets).toEqual([{ name: 'AUDIT_KEY', file, created: true }]);
    expect(warnings).toEqual([
      `AUDIT_KEY is not set, and the one kept at ${JSON.stringify(file)} is known to this folder alone: every other process and command on this database needs the same; set AUDIT_KEY for all of them`,
    ]);
    expect(`${audit.key.reveal()}\n`).toBe(readFileSync(file, 'utf8'));
  });

  test('that a command cannot find is asked for, and no start from this folder is advised', () => {
    const cwd = makeFolder();
    const { audit } = load(POSTGRES, cwd, false);
    expect(() => audit.key).toThrow(
      `AUDIT_KEY is not set and ${JSON.stringify(join(cwd, 'spill/audit-key'))} does not exist; set AUDIT_KEY to the one of the processes on this database`,
    );
  });

  test('may lie in the data folder, where its entries are not', () => {
    const cwd = makeFolder();
    writeIn(cwd, 'spill/key', KEY);
    expect(load({ ...PRODUCTION, AUDIT_KEY_FILE: 'spill/key' }, cwd).warnings).toEqual([]);
  });

  test('a worker makes it, and no secret for receiving', () => {
    const cwd = makeFolder();
    load({ ...POSTGRES, ROLE: 'worker' }, cwd);
    expect(readdirSync(join(cwd, 'spill'))).toEqual(['audit-key']);
  });

  test('a folder for the spill that cannot be made is a fault that names its setting', () => {
    const cwd = makeFolder();
    writeIn(cwd, 'spill', '');
    expect(faultsOf(POSTGRES, cwd)).toEqual([
      expect.stringMatching(/^SPILL_DATABASE_URL names a file in ".*spill", a folder that cannot be made \(EEXIST\);/),
    ]);
  });
});

describe('a new file', () => {
  test('is written whole with its mode, whatever the umask, and its folder is closed', () => {
    const file = join(makeFolder(), 'a/b/file');
    const umask = process.umask(0o077);
    try {
      expect(writeNewFile(file, 'text', 0o640)).toBe(true);
    } finally {
      process.umask(umask);
    }
    expect(readFileSync(file, 'utf8')).toBe('text');
    expect(modeOf(file)).toBe('640');
  });

  test('never replaces one that is there, and leaves no draft behind', () => {
    const folder = makeFolder();
    const file = writeIn(folder, 'file', 'first');
    expect(writeNewFile(file, 'second', 0o600)).toBe(false);
    expect(readFileSync(file, 'utf8')).toBe('first');
    expect(readdirSync(folder)).toEqual(['file']);
  });
});
