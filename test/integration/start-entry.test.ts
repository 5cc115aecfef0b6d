import { spawnSync } from 'node:child_process';
import { accessSync, constants, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const ENTRY = fileURLToPath(new URL('../../bin/instantly-receiver.js', import.meta.url));
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'receiver-entry-'));
  mkdirSync(join(folder, 'bin'));
  mkdirSync(join(folder, 'src/cli'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  copyFileSync(ENTRY, join(folder, 'bin/instantly-receiver.js'));
  // Types in it show that it is run as TypeScript.
  writeFileSync(
    join(folder, 'src/cli/main.ts'),
    `import { url } from 'node:inspector';
    const words: string[] = process.argv.slice(2);
    if (words[0] !== 'signalled') process.stdout.write(words.join());
    else {
      process.kill(process.pid, 'SIGUSR1');
      setTimeout(() => process.stdout.write(url() ?? 'closed'), 300);
    }
    `,
  );
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a copy of the entry by a Node that says it is of another version, and tells on stderr which flags V8 gets. */
function runAs(version: string) {
  const code = `
    import v8 from 'node:v8';
    Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });
    const set = v8.setFlagsFromString;
    v8.setFlagsFromString = (flag) => { process.stderr.write(flag); set(flag); };
  `;
  const preload = `data:text/javascript,${encodeURIComponent(code)}`;
  return spawnSync(
    process.execPath,
    ['--import', preload, join(folder, 'bin/instantly-receiver.js'), 'events', 'list'],
    {
      encoding: 'utf8',
      timeout: 20_000,
    },
  );
}

describe('the entry', () => {
  test('opens no inspector at SIGUSR1', () => {
    const entry = join(folder, 'bin/instantly-receiver.js');
    const { stdout, stderr } = spawnSync(process.execPath, [entry, 'signalled'], { encoding: 'utf8', timeout: 20_000 });
    expect([stdout, stderr]).toEqual(['closed', '']);
  });

  test.each(['16.20.2', '18.20.8', '20.11.1', '22.12.0', '23.11.1'])(
    'started by Node %s says so in one line and exits with 78',
    (version) => {
      const { status, stdout, stderr } = runAs(version);
      expect([status, stdout]).toEqual([78, '']);
      expect(stderr).toBe(
        `instantly-receiver needs Node 24 or newer and was started by Node ${version}; in a checkout start it through npm, which brings its own Node ("npm ci", then "npm start"), elsewhere install one from https://nodejs.org\n`,
      );
    },
  );

  test.each([
    ['24.0.0', '--no-wasm-code-gc'],
    ['25.9.0', '--no-wasm-code-gc'],
    ['26.10.0', ''],
    ['100.0.0', ''],
  ])('started by Node %s goes on to the command line, with flags "%s"', (version, flags) => {
    const { status, stdout, stderr } = runAs(version);
    expect([status, stdout, stderr]).toEqual([0, 'events,list', flags]);
  });

  test('can be run as it is', () => {
    expect(() => accessSync(ENTRY, constants.X_OK)).not.toThrow();
  });
});
