import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Finding, ScanReport } from '../../src/scan-secrets/report.ts';
import { GIT_ENV, type GitRepository, makeRepository, writeFiles } from '../support/git-repository.ts';
import {
  makeDatabaseUrl,
  makeGithubToken,
  makeInstantlyKey,
  makePrefixedKey,
  makeToken,
  settingLine,
} from '../support/made-secrets.ts';
import { endOf, type Ran, runCommand, spawnCommand } from '../support/run-command.ts';

const PATH = GIT_ENV.PATH;
const folders: string[] = [];

function makeFolder(files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const dir = mkdtempSync(join(tmpdir(), 'receiver-scan-'));
  folders.push(dir);
  writeFiles(dir, files);
  return dir;
}

const home = makeFolder();

const repository = (): GitRepository => makeRepository(makeFolder());

/** Without the progress that a busy machine gets to show. */
async function run(dir: string, words: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const ran = await runCommand(dir, ['secrets', 'scan', ...words], { env: { PATH, HOME: home, ...env } });
  return { ...ran, stderr: ran.stderr.replace(/^[a-z ]+: \d+ of \d+\n/gm, '') };
}

async function scan(dir: string, words: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
  const { code, stdout, stderr } = await run(dir, ['--json', ...words], env);
  const report: ScanReport = JSON.parse(stdout);
  return { code, report, stderr };
}

/** A finding on one line. */
const brief = ({ where, path, line, rule, commit }: Finding): string =>
  [where, path, line ?? '-', rule, ...(commit === undefined ? [] : [commit])].join(' ');

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

describe('a repository with secrets in every corner', () => {
  const repo = repository();
  const secrets: string[] = [];
  const commits: Record<string, string> = {};
  /** A line with a new secret, which no output may hold. */
  const line = (): string => {
    const token = makeToken();
    secrets.push(token);
    return settingLine(token);
  };
  let ran: Awaited<ReturnType<typeof scan>>;

  beforeAll(async () => {
    const renamed = line();
    commits['first'] = repo.commit({
      '.gitignore': '.env\nignored/\n',
      'README.md': 'Nothing.\n',
      'removed/.env.production': `${line()}\n`,
      'old-name.env': renamed,
      'in-tree.env': `# a comment\n${line()}`,
      'changed.env': line(),
    });
    repo.git('mv', 'old-name.env', 'new-name.env');
    commits['second'] = repo.commit({ 'changed.env': 'nothing left\n', 'grows.env': line() });
    repo.git('rm', '--quiet', 'removed/.env.production');
    commits['third'] = repo.commit({ 'grows.env': `one more\n${readFileSync(join(repo.dir, 'grows.env'), 'utf8')}` });
    repo.git('checkout', '--quiet', '-b', 'side');
    commits['side'] = repo.commit({ 'side.env': line() });
    repo.git('checkout', '--quiet', 'main');
    repo.git('checkout', '--quiet', '--detach');
    commits['tagged'] = repo.commit({ 'tagged.env': line() });
    repo.git('tag', '--annotate', '--message', 'a tag', 'v1');
    repo.git('checkout', '--quiet', 'main');
    repo.write({ 'blob.txt': line() });
    repo.git('tag', 'a-content', repo.git('hash-object', '-w', 'blob.txt').trim());
    unlinkSync(join(repo.dir, 'blob.txt'));
    repo.write({ 'stashed.env': line() });
    repo.git('stash', 'push', '--quiet', '--include-untracked');
    repo.git('merge', '--quiet', '--no-commit', '--no-ff', 'side');
    repo.git('rm', '--quiet', '--force', 'side.env');
    commits['merge'] = repo.commit({ 'merged.env': line() });

    repo.write({
      'binary.env': Buffer.concat([Buffer.of(0), Buffer.from(line())]),
      'huge.env': `${line()}${'x'.repeat(2 * 1024 * 1024)}`,
      'just-fits.env': `${' '.repeat(2 * 1024 * 1024 - 100)}\n${line()}`,
      '.env': line(),
      'ignored/a.env': line(),
      'untracked.env': line(),
      'staged.env': line(),
      'node_modules/package/.npmrc.env': line(),
      '-rf.env': line(),
      'line\nbreak.env': line(),
      'quo\'te "and" ü.env': line(),
      'inner/.gitignore': 'ignored.env\n',
      'inner/own.env': line(),
      'inner/ignored.env': line(),
    });
    repo.git('add', 'staged.env');
    repo.write({ 'staged.env': 'nothing left\n' });
    const inner = makeRepository(join(repo.dir, 'inner'));
    inner.commit({ 'only-history.env': line() });
    unlinkSync(join(inner.dir, 'only-history.env'));
    symlinkSync('in-tree.env', join(repo.dir, 'link.env'));
    ran = await scan(repo.dir);
  }, 120_000);

  const paths = () => ran.report.findings.map(brief);

  test('ends with 1 and is complete', () => {
    expect([ran.code, ran.report.complete, ran.report.history]).toEqual([1, true, 'scanned']);
  });

  test('finds them all, each once, and says since when', () => {
    const { first, second, third, side, tagged, merge } = commits;
    expect(third).not.toBe(second);
    const stash = repo.git('rev-parse', 'stash^3').slice(0, 12);
    expect(paths().toSorted()).toEqual(
      [
        `tree in-tree.env 2 receiver-setting ${first}`,
        `tree new-name.env 1 receiver-setting ${second}`,
        `tree grows.env 2 receiver-setting ${second}`,
        `tree merged.env 1 receiver-setting ${merge}`,
        'tree staged.env 1 receiver-setting',
        'tree untracked.env 1 receiver-setting',
        'tree just-fits.env 2 receiver-setting',
        'tree -rf.env 1 receiver-setting',
        'tree line\nbreak.env 1 receiver-setting',
        `tree quo'te "and" ü.env 1 receiver-setting`,
        'tree inner/own.env 1 receiver-setting',
        `history old-name.env 1 receiver-setting ${first}`,
        `history removed/.env.production 1 receiver-setting ${first}`,
        `history changed.env 1 receiver-setting ${first}`,
        `history side.env 1 receiver-setting ${side}`,
        `history tagged.env 1 receiver-setting ${tagged}`,
        `history stashed.env 1 receiver-setting ${stash}`,
        'history refs/tags/a-content 1 receiver-setting',
      ].toSorted(),
    );
  });

  test('says what it did not look at', () => {
    expect(ran.report.skipped).toEqual({
      binary: 1,
      tooLarge: 1,
      unreadable: 0,
      failed: 0,
      notAFile: 1,
      missing: 0,
      ignored: 0,
      beyondLimits: 0,
    });
    expect(ran.report.notes).toEqual([
      'A repository lies inside of this one: its files were looked at, its history was not.',
    ]);
  });

  test('--no-history is about the files alone', async () => {
    const { code, report } = await scan(repo.dir, ['--no-history']);
    expect([code, report.history, report.blobsScanned]).toEqual([1, 'not asked for', 0]);
    expect(report.findings.map(({ where }) => where)).toEqual(Array(11).fill('tree'));
    expect(report.findings.some(({ commit }) => commit !== undefined)).toBe(false);
  });

  test('of a folder in it, what lies and lay there', async () => {
    const { report } = await scan(join(repo.dir, '..'), [join(repo.dir, 'ignored'), '--no-history']);
    // git wants to know nothing of it, so it is a folder like any other.
    expect(report.findings.map(brief)).toEqual(['tree a.env 1 receiver-setting']);
    writeFiles(repo.dir, { 'removed/now.env': line() });
    const inside = await scan(join(repo.dir, 'removed'));
    unlinkSync(join(repo.dir, 'removed/now.env'));
    expect(inside.report.findings.map(brief)).toEqual([
      'tree now.env 1 receiver-setting',
      `history .env.production 1 receiver-setting ${commits['first']}`,
    ]);
  });

  test('.secretlintignore names paths of both', async () => {
    writeFiles(repo.dir, { '.secretlintignore': '*.env\n!untracked.env\nrefs/\n' });
    const { report } = await scan(repo.dir);
    unlinkSync(join(repo.dir, '.secretlintignore'));
    expect(report.findings.map(brief)).toEqual([
      'tree untracked.env 1 receiver-setting',
      `history removed/.env.production 1 receiver-setting ${commits['first']}`,
    ]);
    expect(report.skipped.ignored).toBeGreaterThan(10);
  });

  test('for people: a table, and what to do on stderr', async () => {
    const { code, stdout, stderr } = await run(repo.dir);
    expect(code).toBe(1);
    expect(stdout).toMatch(/│ where +│ path +│ line │ rule +│ commit +│/);
    expect(stdout).toContain('line\\u000abreak.env');
    expect(stderr).toMatch(/^18 findings in \d+ files and \d+ versions of files in the history\.$/m);
    expect(stderr).toMatch(/receiver-setting: INSTANTLY_WEBHOOK_TOKEN: run "secrets rotate"/);
    expect(stderr).toContain('Not looked at: 1 binary, searched only for the secrets in use; 1 larger than 2 MB; ');
  });

  test('no output holds a secret', async () => {
    const { stdout, stderr } = await run(repo.dir);
    const all = [stdout, stderr, JSON.stringify(ran)].join('\n');
    expect(secrets.length).toBeGreaterThan(20);
    expect(secrets.filter((secret) => all.includes(secret))).toEqual([]);
  });
});

describe('bare API keys, in the tree and in the history', () => {
  test('are found, with the command that rotates them, and never printed', async () => {
    const repo = repository();
    const [gone, here] = [makePrefixedKey(), makeInstantlyKey()];
    const first = repo.commit({ 'client.ts': `new Client('${gone}');\n` });
    repo.commit({ 'client.ts': `new Client(env.KEY);\n`, 'request.http': `Authorization: Bearer ${here}\n` });
    const { code, report, stderr } = await scan(repo.dir);
    expect([code, report.findings.length]).toEqual([1, 2]);
    expect(report.findings[1]).toMatchObject({ where: 'history', path: 'client.ts', commit: first });
    for (const finding of report.findings) {
      expect(finding).toMatchObject({
        rule: 'instantly-api-key',
        remedy: expect.stringMatching(/^Rotate now: .*"secrets rotate --api-key"/),
      });
    }
    const shown = await run(repo.dir);
    expect(shown.stderr).toMatch(/^Rotate now.*\n {2}instantly-api-key: .*"secrets rotate --api-key"/m);
    const output = JSON.stringify([report, stderr, shown]);
    expect([gone, here].filter((key) => output.includes(key))).toEqual([]);
  });

  test.each([
    ['INSTANTLY_WEBHOOK_TOKEN', '"secrets rotate"'],
    ['INSTANTLY_WRITE_KEY', '"secrets rotate --api-key --setting INSTANTLY_WRITE_KEY"'],
    ['INSTANTLY_SECRET', '"secrets new --kind signature"'],
    ['ADMIN_TOKEN', '"secrets new --kind admin"'],
    ['METRICS_TOKEN', '"secrets new --kind metrics"'],
  ])('of the setting %s the command is %s', async (name, command) => {
    const { report } = await scan(makeFolder({ 'a.txt': settingLine(makeToken(), name) }));
    expect(report.findings).toMatchObject([{ remedy: expect.stringContaining(`Rotate now: ${name}: run ${command}`) }]);
  });
});

describe('the documented hook of git', () => {
  const bin = fileURLToPath(new URL('../../bin/instantly-receiver.js', import.meta.url));
  /** `secrets scan` of this checkout, in place of that of the folder. */
  const withHook = (): GitRepository => {
    const repo = repository();
    const document = readFileSync(new URL('../../docs/secrets-scan.md', import.meta.url), 'utf8');
    const [line = ''] = /^printf .*\n.*chmod.*$/m.exec(document) ?? [];
    expect(line).toContain('npm run --silent cli -- secrets scan --staged');
    const command = line.replace('npm run --silent cli --', `${process.execPath} ${bin}`);
    execFileSync('sh', ['-c', command], { cwd: repo.dir });
    return repo;
  };
  const commit = (repo: GitRepository, ...words: string[]) =>
    spawnSync('git', ['-C', repo.dir, 'commit', '-m', 'a', ...words], {
      env: { ...GIT_ENV, HOME: home },
      encoding: 'utf8',
    });

  test('refuses a commit with a key, by what is staged and not by what the files hold', () => {
    const repo = withHook();
    const key = makePrefixedKey();
    repo.write({ 'a.ts': `const key = '${key}';\n`, 'b.ts': 'let b;\n' });
    repo.git('add', '--all');
    // The file has changed since.
    repo.write({ 'a.ts': 'const key = env.KEY;\n' });
    const refused = commit(repo);
    expect([refused.status, refused.stderr.includes('Rotate now'), refused.stderr.includes(key)]).toEqual([
      1,
      true,
      false,
    ]);
    repo.git('add', '--all');
    // Neither in the file alone, nor in one that git does not know, is it committed.
    repo.write({ 'a.ts': `const key = '${key}';\n`, 'untracked.ts': `const key = '${key}';\n` });
    expect(commit(repo).status).toBe(0);
    expect(commit(repo, '--all').status).toBe(1);
    repo.write({ 'b.ts': `const key = '${key}';\n` });
    expect(commit(repo, 'b.ts').status).toBe(1);
    expect(commit(repo, '--allow-empty').status).toBe(0);
    expect(repo.git('rev-list', '--count', 'HEAD').trim()).toBe('2');
  });

  test('outside of a repository it fails', async () => {
    expect(await run(makeFolder(), ['--staged'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('in no git'),
    });
  });
});

describe('secrets in use', () => {
  test('are found in any form, anywhere', async () => {
    const [token, key, audit, metrics, admin, read, write, password] = Array.from({ length: 8 }, makeToken);
    const env = {
      INSTANTLY_WEBHOOK_TOKEN: `${makeToken()},${token}`,
      INSTANTLY_SECRET: key,
      AUDIT_KEY: audit,
      METRICS_TOKEN: metrics,
      ADMIN_TOKEN: admin,
      INSTANTLY_READ_KEY: read,
      INSTANTLY_WRITE_KEY: write,
      DATABASE_URL: makeDatabaseUrl(encodeURIComponent(`${password}/`)),
    };
    const repo = repository();
    const values = [token, key, audit, metrics, admin, read, write, `${password}/`].map(String);
    const commit = repo.commit({ 'notes.txt': `${values.slice(0, 4).join('\n')}\n` });
    repo.commit({ 'notes.txt': 'gone\n' });
    repo.write({ 'other.bin': Buffer.from(`\0${values.slice(4).join('\0')}\0`) });
    const { code, report, stderr } = await scan(repo.dir, [], env);
    expect([code, stderr]).toEqual([1, '']);
    expect(report.findings.map(brief)).toEqual([
      ...Array(4).fill('tree other.bin - known-secret'),
      ...[1, 2, 3, 4].map((at) => `history notes.txt ${at} known-secret ${commit}`),
    ]);
  });

  test('a path that holds one is masked', async () => {
    const token = makeToken();
    const dir = makeFolder({ [`dump-${token}/a.txt`]: token });
    const { stdout, stderr } = await run(dir, [], { INSTANTLY_WEBHOOK_TOKEN: token });
    expect(stdout).toContain('dump-[secret]/a.txt');
    expect(stdout + stderr).not.toContain(token);
  });

  test('bad settings are no reason not to look', async () => {
    const dir = makeFolder({ 'a.env': settingLine() });
    const { code, report, stderr } = await scan(dir, [], { PORT: 'high' });
    expect([code, report.findings.length]).toEqual([1, 1]);
    expect(stderr).toContain('The settings here cannot be read');
  });
});

describe('outside of a repository', () => {
  test('every file counts but those in which a secret belongs', async () => {
    const token = makeToken();
    const dir = makeFolder({
      '.env': settingLine(token),
      'data/webhook-token': `${token}\n`,
      'data/notes.txt': token,
      'secrets/instantly-secret': token,
      'kept/there': token,
      'a/b/c.env': settingLine(),
      'a/.gitignore': '*\n',
      'node_modules/a/b.env': settingLine(),
      'key.txt': makeInstantlyKey(),
      'deploy.sh': `echo ${makeGithubToken()}`,
    });
    const { code, report } = await scan(dir, [], { ADMIN_TOKEN_FILE: 'kept/there' });
    expect([code, report.history, report.complete]).toEqual([1, 'no repository', true]);
    expect(report.findings.map(brief)).toEqual([
      'tree a/b/c.env 1 receiver-setting',
      'tree data/notes.txt 1 known-secret',
      'tree deploy.sh 1 github',
      'tree key.txt 1 instantly-api-key',
    ]);
  });

  test('nothing found ends with 0', async () => {
    expect(await run(makeFolder({ 'a.txt': 'Nothing.\n', '.env': settingLine() }))).toEqual({
      code: 0,
      stdout: 'No secret found in 1 file.\n',
      stderr: '',
    });
  });

  test('what is no file is not opened, and a folder that cannot be read is said', async () => {
    const dir = makeFolder({ 'closed/a.env': settingLine() });
    spawnSync('mkfifo', [join(dir, 'pipe.env')]);
    symlinkSync('/dev/zero', join(dir, 'zero.env'));
    symlinkSync('.', join(dir, 'loop'));
    expect((await scan(dir)).report.skipped.notAFile).toBe(3);
    // Whoever runs this may be root, who can read everything: so a name that is too long to be opened.
    let deep = dir;
    for (let depth = 0; depth < 20; depth += 1) {
      const name = 'd'.repeat(250);
      execFileSync('mkdir', [name], { cwd: deep });
      deep = `${deep}/${name}`;
      if (deep.length > 3_600) break;
    }
    execFileSync('sh', ['-c', `mkdir ${'e'.repeat(250)} && cd ${'e'.repeat(250)} && mkdir ${'f'.repeat(250)}`], {
      cwd: deep,
    });
    const { code, report } = await scan(dir);
    expect([code, report.complete, report.skipped.unreadable]).toEqual([1, false, 1]);
  });
});

describe('wrong usage', () => {
  test.each([[['no-such-folder']], [['a.txt']], [['.', 'again']], [['--history']]])('%j ends with 2', async (words) => {
    const { code, stdout, stderr } = await run(makeFolder({ 'a.txt': '' }), words);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('--help');
  });
});

describe('a history that is not all there', () => {
  test('no commit yet', async () => {
    const repo = repository();
    repo.write({ 'a.env': settingLine(), 'b.env': settingLine() });
    repo.git('add', 'b.env');
    const { code, report } = await scan(repo.dir);
    expect([code, report.complete, report.findings.map(brief)]).toEqual([
      1,
      true,
      ['tree a.env 1 receiver-setting', 'tree b.env 1 receiver-setting'],
    ]);
  });

  test('a shallow clone says so', async () => {
    const repo = repository();
    repo.commit({ 'a.env': settingLine() });
    repo.commit({ 'a.env': 'nothing left\n' });
    const clone = join(makeFolder(), 'clone');
    execFileSync('git', ['clone', '--quiet', '--depth', '1', `file://${repo.dir}`, clone], { env: GIT_ENV });
    const { code, stdout, stderr } = await run(clone);
    expect([code, stdout]).toEqual([0, 'No secret found in 1 file and 1 version of files in the history.\n']);
    expect(stderr).toBe('This clone is shallow: the history before its first commit was not looked at.\n');
    expect((await scan(clone)).report.shallow).toBe(true);
  });

  test('no git: every file is looked at, and it is not all', async () => {
    const repo = repository();
    repo.commit({ 'a.env': settingLine() });
    const { code, report } = await scan(repo.dir, [], { PATH: home });
    expect([code, report.history, report.complete]).toEqual([1, 'not readable', false]);
    expect(report.findings.map(brief)).toEqual(['tree a.env 1 receiver-setting']);
    expect(report.notes.join()).toContain('git is not installed');
    const plain = await run(makeFolder({ 'a.txt': '' }), [], { PATH: home });
    expect([plain.code, plain.stderr]).toEqual([0, '']);
  });

  test('a damaged repository: what can be read is, and it is not all', async () => {
    const repo = repository();
    repo.commit({ 'a.env': settingLine() });
    const tree = repo.git('rev-parse', 'HEAD^{tree}').trim();
    unlinkSync(join(repo.dir, '.git/objects', tree.slice(0, 2), tree.slice(2)));
    const { code, report } = await scan(repo.dir);
    expect([code, report.complete, report.history]).toEqual([1, false, 'not readable']);
    expect(report.findings.map(brief)).toEqual(['tree a.env 1 receiver-setting']);
  });
});

describe("a stranger's repository gets nothing to run", () => {
  test.each([
    ['blob:none', { history: 'scanned', complete: true }],
    ['tree:0', { history: 'not readable', complete: false }],
  ])('%s', async (filter, expected) => {
    const repo = repository();
    repo.commit({ 'a.txt': 'one\n' });
    repo.commit({ 'a.txt': 'two\n' });
    repo.git('config', 'uploadpack.allowFilter', 'true');
    const partial = join(makeFolder(), 'partial');
    execFileSync('git', ['clone', '--quiet', '--no-checkout', `--filter=${filter}`, `file://${repo.dir}`, partial], {
      env: GIT_ENV,
    });
    const mark = join(makeFolder(), 'mark');
    const trap = join(makeFolder({ trap: `#!/bin/sh\ntouch ${mark}\nexit 1\n` }), 'trap');
    chmodSync(trap, 0o755);
    const git = (...words: string[]) => spawnSync('git', ['-C', partial, ...words], { env: GIT_ENV });
    for (const [name, value] of Object.entries({
      'core.fsmonitor': trap,
      'core.hooksPath': join(trap, '..'),
      'core.pager': trap,
      'core.sshCommand': trap,
      'diff.external': trap,
      'filter.x.clean': trap,
      'filter.x.smudge': trap,
      'diff.x.textconv': trap,
      'gpg.program': trap,
      'log.showSignature': 'true',
      'remote.origin.uploadpack': trap,
      'protocol.ext.allow': 'always',
    })) {
      git('config', name, value);
    }
    writeFiles(partial, { '.gitattributes': '* filter=x diff=x\n', 'b.env': settingLine(), 'a.txt': 'two\n' });

    const { code, report } = await scan(partial);
    expect([code, report]).toEqual([1, expect.objectContaining(expected)]);
    expect(report.findings.map(brief)).toEqual(['tree b.env 1 receiver-setting']);
    expect(existsSync(mark)).toBe(false);

    // The traps are real: git itself walks into them.
    git('cat-file', '-p', 'HEAD:a.txt');
    expect(existsSync(mark)).toBe(true);
    unlinkSync(mark);
    git('status');
    expect(existsSync(mark)).toBe(true);
  });
});

test('SIGINT ends it at once, while it tells how far it is', async () => {
  const heavy = Array.from({ length: 20_000 }, makeGithubToken).join('\n');
  const dir = makeFolder(Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`${at}.txt`, heavy])));
  const child = spawnCommand(dir, ['secrets', 'scan'], { env: { PATH, HOME: home } });
  const ended = endOf(child);
  await once(child.stderr, 'data');
  child.kill('SIGINT');
  const { code, stdout, stderr } = await ended;
  expect([code, stdout]).toEqual([130, '']);
  expect(stderr).toMatch(/^files: \d+ of 30\n/);
});
