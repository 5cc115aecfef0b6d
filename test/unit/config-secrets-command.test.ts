import { chmodSync, closeSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { Command, CommanderError } from 'commander';
import { register } from '../../src/cli/secrets.ts';
import { faultsOf, load, makeFolder, TOKEN, writeIn } from './config-support.ts';

interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Runs the command as the command line does, its words after `secrets new`. */
function secretsNew(...words: string[]): Ran {
  return secretsNewTo(devNull, ...words);
}

/** @param target what stdout is redirected to, as by `>>`; what would be written there comes back */
function secretsNewTo(target: string, ...words: string[]): Ran {
  const descriptor = openSync(target, 'a');
  let stdout = '';
  let stderr = '';
  const program = new Command('instantly-receiver').exitOverride().configureOutput({
    writeOut: (text) => {
      stdout += text;
    },
    writeErr: (text) => {
      stderr += text;
    },
  });
  register(program, descriptor);
  try {
    program.parse(['secrets', 'new', ...words], { from: 'user' });
    return { stdout, stderr, exitCode: 0 };
  } catch (error) {
    if (error instanceof CommanderError) return { stdout, stderr, exitCode: error.exitCode };
    // Any other error is printed so, and ends the process with 1.
    if (error instanceof Error) return { stdout, stderr: `${stderr}error: ${error.message}\n`, exitCode: 1 };
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

const readDir = (dir: string): Record<string, string> =>
  Object.fromEntries(readdirSync(dir).map((name) => [name, readFileSync(join(dir, name), 'utf8')]));

const passwordIn = (url: string | undefined) => decodeURIComponent(new URL(url ?? '').password);

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe('one secret', () => {
  test.each([
    [[], 'INSTANTLY_WEBHOOK_TOKEN', /^[\w-]{43}$/],
    [['--kind', 'token'], 'INSTANTLY_WEBHOOK_TOKEN', /^[\w-]{43}$/],
    [['--kind', 'signature'], 'INSTANTLY_SECRET', /^[\w-]{43}$/],
    [['--kind', 'signature', '--scheme', 'timestamped'], 'INSTANTLY_SECRET', /^[\w-]{43}$/],
    [['--kind', 'signature', '--scheme', 'standard-webhooks'], 'INSTANTLY_SECRET', /^whsec_[A-Za-z0-9+/]{43}=$/],
    [['--kind', 'signature', '--scheme', 'svix'], 'INSTANTLY_SECRET', /^whsec_[A-Za-z0-9+/]{43}=$/],
    [['--kind', 'signature', '--scheme', 'hookdeck'], 'INSTANTLY_SECRET', /^[\w-]{43}$/],
    [['--kind', 'audit'], 'AUDIT_KEY', /^[\w-]{43}$/],
    [['--kind', 'admin'], 'ADMIN_TOKEN', /^[\w-]{43}$/],
    [['--kind', 'metrics'], 'METRICS_TOKEN', /^[\w-]{43}$/],
  ])('%j prints the line for .env alone on stdout', (words, name, form) => {
    const { stdout, stderr, exitCode } = secretsNew(...words);
    expect(exitCode).toBe(0);
    const [line, ...rest] = stdout.split('\n');
    expect(rest).toEqual(['']);
    const value = line?.slice(name.length + 1) ?? '';
    expect(line).toBe(`${name}=${value}`);
    expect(value).toMatch(form);
    expect(stderr).toContain('Put the line into .env.');
    expect(stderr).not.toContain(value);
    expect(secretsNew(...words).stdout).not.toBe(stdout);
  });

  test('appended to .env, it is what the receiver works with', () => {
    const cwd = makeFolder();
    writeIn(cwd, '.env', secretsNew('--kind', 'signature', '--scheme', 'standard-webhooks').stdout);
    expect(faultsOf({ NODE_ENV: 'production', INSTANTLY_SIGNATURE_SCHEME: 'standard-webhooks' }, cwd)).toEqual([]);
  });

  test('a scheme that is not the default is said to need its setting', () => {
    expect(secretsNew('--kind', 'signature', '--scheme', 'timestamped').stderr).toContain(
      'Set INSTANTLY_SIGNATURE_SCHEME=timestamped too.',
    );
    expect(secretsNew('--kind', 'signature').stderr).not.toContain('INSTANTLY_SIGNATURE_SCHEME');
  });

  test('--json is one document and nothing else', () => {
    const { stdout, stderr } = secretsNew('--json');
    const document = JSON.parse(stdout);
    expect(document).toEqual({
      kind: 'token',
      name: 'INSTANTLY_WEBHOOK_TOKEN',
      value: expect.stringMatching(/^[\w-]{43}$/),
      line: `INSTANTLY_WEBHOOK_TOKEN=${document.value}`,
      next: expect.any(String),
    });
    expect(stderr).toBe('');
  });
});

describe('--file', () => {
  test('keeps the value off the screen, in a file for this user alone', () => {
    const folder = makeFolder();
    const file = join(folder, 'new/audit-key');
    const { stdout, stderr, exitCode } = secretsNew('--kind', 'audit', '--file', file);
    const value = readFileSync(file, 'utf8').trimEnd();
    expect([exitCode, stdout]).toEqual([0, `AUDIT_KEY_FILE=${file}\n`]);
    expect(value).toMatch(/^[\w-]{43}$/);
    expect(stdout + stderr).not.toContain(value);
    expect([modeOf(file), modeOf(join(folder, 'new'))]).toEqual(['600', '700']);
    expect(load({ AUDIT_KEY_FILE: file }).audit.key.reveal()).toBe(value);
  });

  test('never replaces a file', () => {
    const file = writeIn(makeFolder(), 'key', 'precious');
    const { stdout, stderr, exitCode } = secretsNew('--file', file);
    expect([exitCode, stdout]).toEqual([1, '']);
    expect(stderr).toBe(`error: ${file} exists already and is left as it is; name a new file\n`);
    expect(readFileSync(file, 'utf8')).toBe('precious');
  });

  test('says why it cannot write', () => {
    const file = writeIn(makeFolder(), 'key', '');
    const { stderr, exitCode } = secretsNew('--file', join(file, 'below'));
    expect([exitCode, stderr]).toEqual([1, `error: ${join(file, 'below')} cannot be written (EEXIST)\n`]);
  });

  test.each(['with space', 'with#hash', "with'quote", 'with"quote'])(
    '%s: the line is quoted so that .env gives the path back',
    (name) => {
      const file = join(makeFolder(), name);
      expect(parseEnv(secretsNew('--file', file).stdout)).toEqual({ INSTANTLY_WEBHOOK_TOKEN_FILE: file });
    },
  );

  test('--json names the file, not the value', () => {
    const file = join(makeFolder(), 'key');
    const { stdout } = secretsNew('--file', file, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'token', name: 'INSTANTLY_WEBHOOK_TOKEN_FILE', file });
    expect(stdout).not.toContain(readFileSync(file, 'utf8').trimEnd());
  });
});

describe('for a container', () => {
  test('--all makes the files that another user in there can read, behind a folder that others here cannot enter', () => {
    const dir = join(makeFolder(), 'secrets');
    const { stdout, exitCode } = secretsNew('--all', '--dir', dir);
    expect(exitCode).toBe(0);
    expect(readdirSync(dir).toSorted()).toEqual([
      'audit-key',
      'database-url',
      'instantly-secret',
      'postgres-password',
      'webhook-token',
    ]);
    expect(modeOf(dir)).toBe('700');
    for (const name of readdirSync(dir)) expect(modeOf(join(dir, name))).toBe('644');
    const env = { INSTANTLY_REQUIRE: 'both', ...parseEnv(stdout) };
    const settings = load({ NODE_ENV: 'production', ...env });
    expect(settings.secretOrigins).toEqual({
      INSTANTLY_WEBHOOK_TOKEN: 'file',
      INSTANTLY_SECRET: 'file',
      AUDIT_KEY: 'file',
    });
    expect(settings.warnings).toEqual([]);
  });

  test('--all makes what is missing and leaves the rest alone', () => {
    const dir = join(makeFolder(), 'secrets');
    mkdirSync(dir, { mode: 0o700 });
    writeIn(dir, 'webhook-token', TOKEN);
    const list = JSON.parse(secretsNew('--all', '--dir', dir, '--json').stdout);
    expect(list).toMatchObject([
      { kind: 'token', name: 'INSTANTLY_WEBHOOK_TOKEN_FILE', file: join(dir, 'webhook-token'), created: false },
      { kind: 'signature', name: 'INSTANTLY_SECRET_FILE', file: join(dir, 'instantly-secret'), created: true },
      { kind: 'audit', name: 'AUDIT_KEY_FILE', file: join(dir, 'audit-key'), created: true },
      { kind: 'database', name: 'POSTGRES_PASSWORD_FILE', file: join(dir, 'postgres-password'), created: true },
      { kind: 'database', name: 'DATABASE_URL_FILE', file: join(dir, 'database-url'), created: true },
    ]);
    expect(readFileSync(join(dir, 'webhook-token'), 'utf8')).toBe(TOKEN);
    const before = readDir(dir);
    const { stderr } = secretsNew('--all', '--dir', dir);
    expect(stderr.match(/was there already and is left as it is/g)).toHaveLength(5);
    expect(readDir(dir)).toEqual(before);
  });

  test('--all says nothing on stdout that would turn a receiver on SQLite to PostgreSQL, and shows no secret', () => {
    const dir = join(makeFolder(), 'secrets');
    const { stdout, stderr } = secretsNew('--all', '--dir', dir);
    expect(stdout).not.toMatch(/DATABASE|POSTGRES/);
    expect(stderr).toContain(`${join(dir, 'database-url')} made.`);
    for (const secret of Object.values(readDir(dir))) expect(stdout + stderr).not.toContain(secret.trim());
  });

  test('--all makes an address of the database that the receiver takes as it is', () => {
    const dir = join(makeFolder(), 'secrets');
    const { stdout } = secretsNew('--all', '--dir', dir);
    for (const name of readdirSync(dir)) chmodSync(join(dir, name), 0o600);
    const { warnings, store } = load({
      NODE_ENV: 'production',
      DATABASE_URL_FILE: join(dir, 'database-url'),
      ...parseEnv(stdout),
    });
    expect(warnings).toEqual([]);
    expect(store).toMatchObject({ kind: 'postgres', location: 'postgres://postgres:5432/receiver' });
    expect(passwordIn(readDir(dir)['database-url'])).toBe(readDir(dir)['postgres-password']?.trim());
  });

  test.each(['chosen-by-hand', 'p@ss/w?rd#100%:é'])(
    '--all puts the password %s that is there into the address',
    (word) => {
      const dir = join(makeFolder(), 'secrets');
      mkdirSync(dir, { mode: 0o700 });
      writeIn(dir, 'postgres-password', `${word}\n`);
      secretsNew('--all', '--dir', dir);
      expect(passwordIn(readDir(dir)['database-url'])).toBe(word);
      expect(faultsOf({ DATABASE_URL_FILE: join(dir, 'database-url') })).toEqual([]);
    },
  );

  test('--all takes the password that is missing out of the address that is there', () => {
    const dir = join(makeFolder(), 'secrets');
    mkdirSync(dir, { mode: 0o700 });
    const url = new URL('postgres://app@db.example/events');
    url.password = 'a%2Fb';
    writeIn(dir, 'database-url', url.href);
    secretsNew('--all', '--dir', dir);
    expect(readDir(dir)).toMatchObject({ 'database-url': url.href, 'postgres-password': 'a/b\n' });
  });

  test.each(['postgres://db.example/events', 'sqlite:/data/receiver.db', 'postgres://app:%@db.example/events'])(
    '--all makes a password of its own beside %s, which holds none',
    (url) => {
      const dir = join(makeFolder(), 'secrets');
      mkdirSync(dir, { mode: 0o700 });
      writeIn(dir, 'database-url', url);
      secretsNew('--all', '--dir', dir);
      expect(readDir(dir)).toMatchObject({
        'database-url': url,
        'postgres-password': expect.stringMatching(/^[\w-]{43}\n$/),
      });
    },
  );

  test('--all says why it cannot read what is there', () => {
    const dir = join(makeFolder(), 'secrets');
    mkdirSync(join(dir, 'database-url'), { recursive: true, mode: 0o700 });
    chmodSync(dir, 0o700);
    const { stderr, exitCode } = secretsNew('--all', '--dir', dir);
    expect([exitCode, stderr]).toEqual([
      1,
      `error: ${join(dir, 'database-url')} cannot be read (EISDIR, it is a folder)\n`,
    ]);
  });

  test('--all --scheme fits the signature key', () => {
    const dir = join(makeFolder(), 'secrets');
    secretsNew('--all', '--dir', dir, '--scheme', 'standard-webhooks');
    expect(readFileSync(join(dir, 'instantly-secret'), 'utf8')).toMatch(/^whsec_/);
  });

  test('--dir with a kind makes that one', () => {
    const dir = join(makeFolder(), 'secrets');
    expect(secretsNew('--kind', 'metrics', '--dir', dir).stdout).toBe(
      `METRICS_TOKEN_FILE=${join(dir, 'metrics-token')}\n`,
    );
    expect(modeOf(join(dir, 'metrics-token'))).toBe('644');
  });

  test('a folder that others may enter is refused', () => {
    const dir = makeFolder();
    chmodSync(dir, 0o755);
    const { stderr, exitCode } = secretsNew('--all', '--dir', dir);
    expect([exitCode, stderr]).toEqual([
      1,
      `error: ${dir} lets other users of this machine in; run "chmod 700 ${dir}" first, or name a new folder\n`,
    ]);
    expect(readdirSync(dir)).toEqual([]);
  });
});

test.each(['', 'A=1\n', 'A=1'])('appended to a file of %j, the line is one of its own', (before) => {
  const cwd = makeFolder();
  const file = writeIn(cwd, '.env', before);
  const { stdout } = secretsNewTo(file);
  expect(stdout.startsWith('\n')).toBe(before !== '');
  writeIn(cwd, '.env', before + stdout);
  expect(load({}, cwd).warnings).toEqual([]);
  expect(load({}, cwd).secretOrigins).toMatchObject({ INSTANTLY_WEBHOOK_TOKEN: 'environment' });
});

describe('--env', () => {
  const set = (file: string) => secretsNew('--kind', 'token', '--env', file);
  const tokenIn = (file: string) => parseEnv(readFileSync(file, 'utf8'))['INSTANTLY_WEBHOOK_TOKEN'];

  test('makes a new file for this user alone, and prints no secret', () => {
    const file = join(makeFolder(), '.env');
    const { stdout, stderr, exitCode } = set(file);
    expect([exitCode, stdout, modeOf(file)]).toEqual([0, '', '600']);
    expect(stderr).toContain(`INSTANTLY_WEBHOOK_TOKEN is set in ${file}.`);
    expect(readFileSync(file, 'utf8')).toMatch(/^INSTANTLY_WEBHOOK_TOKEN=[\w-]{43}\n$/);
    expect(stderr).not.toContain(tokenIn(file));
  });

  test.each<[string, RegExp]>([
    ['A=1', /^A=1\nINSTANTLY_WEBHOOK_TOKEN=[\w-]{43}\n$/],
    ['A=1\r\nB=2', /^A=1\r\nB=2\r\nINSTANTLY_WEBHOOK_TOKEN=[\w-]{43}\r\n$/],
    ['INSTANTLY_WEBHOOK_TOKEN=\nA=1\n', /^INSTANTLY_WEBHOOK_TOKEN=[\w-]{43}\nA=1\n$/],
    ['#INSTANTLY_WEBHOOK_TOKEN=\n', /^#INSTANTLY_WEBHOOK_TOKEN=\nINSTANTLY_WEBHOOK_TOKEN=[\w-]{43}\n$/],
  ])('a file of %j gets its line and keeps its mode', (before, after) => {
    const cwd = makeFolder();
    const file = writeIn(cwd, 'real', before);
    chmodSync(file, 0o640);
    symlinkSync(file, join(cwd, '.env'));
    expect(set(join(cwd, '.env')).exitCode).toBe(0);
    expect([readFileSync(file, 'utf8'), modeOf(file)]).toEqual([expect.stringMatching(after), '640']);
    expect(readdirSync(cwd).toSorted()).toEqual(['.env', 'real']);
  });

  test.each([
    [`INSTANTLY_WEBHOOK_TOKEN=${TOKEN}\n`, 'sets INSTANTLY_WEBHOOK_TOKEN already'],
    ['INSTANTLY_WEBHOOK_TOKEN_FILE=x\n', 'sets INSTANTLY_WEBHOOK_TOKEN_FILE already'],
    ['A="x\nINSTANTLY_WEBHOOK_TOKEN=\nB="\n', 'has a quotation mark that is not closed'],
  ])('a file of %j is left as it is', (before, said) => {
    const file = writeIn(makeFolder(), '.env', before);
    const { stderr, exitCode } = set(file);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining(said)]);
    expect(readFileSync(file, 'utf8')).toBe(before);
  });
});

describe('wrong usage', () => {
  test.each([
    [['--scheme', 'body']],
    [['--kind', 'audit', '--scheme', 'body']],
    [['--dir', 'never-made', '--scheme', 'body']],
  ])('%j: a scheme without a signature key', (words) => {
    expect(secretsNew(...words)).toEqual({
      stdout: '',
      stderr: 'error: --scheme goes with --kind signature\n',
      exitCode: 2,
    });
  });

  test.each([
    [['--all', '--kind', 'token']],
    [['--all', '--file', 'never-made']],
    [['--dir', 'never-made', '--file', 'never-made']],
    [['--env', 'never-made', '--file', 'never-made']],
    [['--kind', 'password']],
    [['--scheme', 'md5']],
  ])('%j makes nothing', (words) => {
    const { stdout, stderr, exitCode } = secretsNew(...words);
    expect(exitCode).not.toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^error: /);
  });

  test('--help says which modes the files get, and why', () => {
    const { stdout } = secretsNew('--help');
    expect(stdout).toMatch(/mode 0644 into\s+a folder of mode 0700/);
    expect(stdout).toContain('mode 0600');
  });
});
