import { chmodSync, chownSync, mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { faultsOf, load, makeFolder, TOKEN, writeIn } from './config-support.ts';

// What others may write or read: production refuses it, development warns of it.

const PRODUCTION = { NODE_ENV: 'production', INSTANTLY_WEBHOOK_TOKEN: TOKEN };
const ALL = 'every user of this machine';
/** A group that nobody on this machine knows. */
const STRANGE = 54_321;
const isRoot = process.geteuid?.() === 0;

const quoted = (...parts: readonly string[]) => JSON.stringify(join(...parts));

function makeHandlers(): string {
  const cwd = makeFolder();
  writeIn(cwd, 'handlers/crm.ts', 'export default {}');
  writeIn(cwd, 'handlers/lib/client.ts', '');
  return cwd;
}

/** The settings of one folder, loaded as production and as development; the latter once more as a command that reads does. */
function judge(cwd: string, env: NodeJS.ProcessEnv = {}): readonly string[] {
  const faults = faultsOf({ ...PRODUCTION, ...env }, cwd);
  const about = ({ warnings }: { readonly warnings: readonly string[] }) =>
    warnings.filter((warning) => warning.includes('chmod'));
  expect(about(load({ INSTANTLY_WEBHOOK_TOKEN: TOKEN, ...env }, cwd))).toEqual(faults);
  expect(about(load({ ...PRODUCTION, ...env }, cwd, false))).toEqual(faults);
  return faults;
}

test.each([
  ['the folder', 'handlers', 'is', 0o777],
  ['the folder, though sticky', 'handlers', 'is', 0o1777],
  ['a file', 'handlers/crm.ts', 'holds', 0o666],
  ['a subfolder', 'handlers/lib', 'holds', 0o757],
  ['a file that handlers import', 'handlers/lib/client.ts', 'holds', 0o602],
  ['the folder above', '', 'leads through', 0o707],
])('code that others may write is refused: %s', (_, name, words, mode) => {
  const cwd = makeHandlers();
  chmodSync(join(cwd, name), mode);
  const path = quoted(cwd, name);
  const shown = `0${(mode & 0o777).toString(8)}`;
  expect(judge(cwd)).toEqual([
    `HANDLERS_DIR ${words} ${path}, which ${ALL} may write (mode ${shown}), and with it the code that the receiver runs; run: chmod go-w ${path}`,
  ]);
});

test('what links lead to is looked at, and the folders in which they lie', () => {
  const cwd = makeHandlers();
  const [elsewhere, open] = [makeFolder(), makeFolder()];
  writeIn(elsewhere, 'shared/mail.ts', '');
  chmodSync(join(elsewhere, 'shared'), 0o703);
  symlinkSync(join(elsewhere, 'shared', 'mail.ts'), join(cwd, 'handlers', 'mail.ts'));
  symlinkSync(join(cwd, 'handlers'), join(open, 'handlers'));
  chmodSync(open, 0o733);
  const faults = judge(cwd, { HANDLERS_DIR: join(open, 'handlers') });
  expect(faults.map((fault) => fault.split('"')[1])).toEqual([open, join(elsewhere, 'shared')]);
  // A sticky folder, as /tmp is, keeps others from putting another link there.
  chmodSync(open, 0o1733);
  expect(judge(cwd, { HANDLERS_DIR: join(open, 'handlers') })).toHaveLength(1);
});

test('a folder that others may only read, in a sticky one, is as it should be', () => {
  const cwd = makeHandlers();
  chmodSync(join(cwd, 'handlers'), 0o755);
  chmodSync(join(cwd, 'handlers/crm.ts'), 0o644);
  chmodSync(cwd, 0o1777);
  expect(judge(cwd)).toEqual([]);
});

(isRoot ? test : test.skip)('a group counts where it has other members than the owner', () => {
  const cwd = makeHandlers();
  const folder = join(cwd, 'handlers');
  chmodSync(folder, 0o775);
  expect(judge(cwd)).toEqual([]);
  chownSync(folder, 0, STRANGE);
  chmodSync(folder, 0o775);
  expect(judge(cwd)).toEqual([expect.stringContaining(`which the group ${STRANGE} may write (mode 0775)`)]);
  // The owner's own group, by its number.
  chownSync(folder, STRANGE, STRANGE);
  chmodSync(folder, 0o775);
  expect(judge(cwd)).toEqual([]);
  // In a sticky folder that belongs to somebody else who could put another in its place.
  chownSync(folder, STRANGE, STRANGE);
  chmodSync(cwd, 0o1777);
  expect(judge(cwd)).toHaveLength(1);
});

test.each([
  ['a data folder', 'data', 0o755, 'DATABASE_URL names a file in', ', a folder that', 700],
  ['a file of a secret', 'audit.key', 0o644, 'AUDIT_KEY_FILE names', ', which', 600],
])('%s that others may read is refused', (_, name, mode, words, which, right) => {
  const cwd = makeFolder();
  chmodSync(cwd, 0o755);
  mkdirSync(join(cwd, 'data'), { mode: 0o700 });
  writeIn(cwd, 'audit.key', 'x'.repeat(40));
  chmodSync(join(cwd, name), mode);
  const path = quoted(cwd, name);
  expect(judge(cwd, { AUDIT_KEY_FILE: 'audit.key' })).toEqual([
    `${words} ${path}${which} ${ALL} may read (mode 0${mode.toString(8)}); run: chmod ${right} ${path}`,
  ]);
});

test('.env counts where it holds a secret', () => {
  const cwd = makeFolder();
  const file = writeIn(cwd, '.env', 'PORT=3001\nMY_OWN=1\n');
  chmodSync(file, 0o644);
  expect(judge(cwd)).toEqual([]);
  writeIn(cwd, '.env', `METRICS_TOKEN=${'m'.repeat(40)}\n`);
  expect(judge(cwd)).toEqual([
    `.env holds secrets: ${quoted(cwd, '.env')}, which ${ALL} may read (mode 0644); run: chmod 600 ${quoted(cwd, '.env')}`,
  ]);
});

(isRoot ? test : test.skip)('a file that root lets a group read is meant so; a group that may change it is not', () => {
  const cwd = makeFolder();
  chmodSync(cwd, 0o755);
  const file = writeIn(cwd, 'audit.key', 'x'.repeat(40));
  const env = { AUDIT_KEY_FILE: 'audit.key' };
  chownSync(file, 0, STRANGE);
  chmodSync(file, 0o640);
  expect(judge(cwd, env)).toEqual([]);
  chmodSync(file, 0o660);
  expect(judge(cwd, env)).toHaveLength(1);
});

test('each fault is named, and nothing is made before they are mended', () => {
  const cwd = makeHandlers();
  chmodSync(join(cwd, 'handlers'), 0o777);
  chmodSync(join(cwd, 'handlers/crm.ts'), 0o666);
  chmodSync(writeIn(cwd, '.env', `METRICS_TOKEN=${'m'.repeat(40)}\n`), 0o604);
  expect(faultsOf(PRODUCTION, cwd)).toHaveLength(3);
  renameSync(join(cwd, 'handlers'), join(cwd, 'data'));
  expect(faultsOf(PRODUCTION, cwd)).toHaveLength(2);
});

test('a file of a secret may be open in a closed folder of its own, as "secrets new --all" makes it', () => {
  const cwd = makeFolder();
  const file = writeIn(cwd, 'secrets/audit-key', 'x'.repeat(40));
  const env = { AUDIT_KEY_FILE: file, HANDLERS_DIR: makeFolder() };
  chmodSync(file, 0o644);
  chmodSync(join(cwd, 'secrets'), 0o700);
  chmodSync(cwd, 0o755);
  expect(judge(cwd, env)).toEqual([]);
  chmodSync(join(cwd, 'secrets'), 0o711);
  expect(judge(cwd, env)).toHaveLength(1);
  // Others may put a folder of theirs in its place; in a sticky one, as /tmp is, they may not.
  chmodSync(join(cwd, 'secrets'), 0o700);
  chmodSync(cwd, 0o777);
  expect(judge(cwd, env)).toHaveLength(1);
  chmodSync(cwd, 0o1777);
  expect(judge(cwd, env)).toEqual([]);
});
