import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { loadHandlers } from '../../src/dispatch/load-handlers.ts';
import { SettingsError } from '../../src/errors/problem.ts';
import { HandlerFolder, TestLog } from '../unit/dispatch-support.ts';

let folder: HandlerFolder;
let log: TestLog;

beforeEach(() => {
  folder = new HandlerFolder();
  log = new TestLog();
});

afterEach(() => {
  folder.remove();
  log.remove();
});

const load = (dir = folder.dir, limitMs = 10_000) => loadHandlers(dir, { logFd: log.fd, limitMs });

async function faultsOf(loading: Promise<unknown>): Promise<readonly string[]> {
  try {
    await loading;
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  throw new Error('nothing was at fault');
}

const put = (file: string, source: string): void => writeFileSync(join(folder.dir, file), source);

test('tells what each handler takes, by its canonical name', async () => {
  put(
    'a.ts',
    `import { defineHandler } from 'instantly-webhook-receiver';
     const sum: number = 1;
     export default defineHandler({ name: 'typed', events: ['reply_received', 'link_clicked'], handle: () => sum });`,
  );
  put('b.js', "module.exports = { name: 'common', events: ['*'], ordered: false, handle() {} };");
  put('c.mjs', "export default new (class { name = 'class.1'; events = ['Hot Lead', 'Hot Lead']; handle() {} })();");
  put('d.js', "export default { name: 'typeless-esm', events: ['unknown'], handle() {} };");
  put(
    'e.js',
    `Object.defineProperty(exports, '__esModule', { value: true });
     exports.default = { name: 'compiled', events: ['email_sent'], handle() {} };`,
  );
  const { handlers, warnings } = await load();
  expect(handlers.map(({ modules: _, ...facts }) => facts)).toEqual([
    {
      handler: 'typed',
      ordered: true,
      idle: false,
      events: ['reply_received', 'email_link_clicked'],
      file: join(folder.dir, 'a.ts'),
    },
    { handler: 'common', ordered: false, idle: false, events: ['*'], file: join(folder.dir, 'b.js') },
    { handler: 'class.1', ordered: true, idle: false, events: ['Hot Lead'], file: join(folder.dir, 'c.mjs') },
    { handler: 'typeless-esm', ordered: true, idle: false, events: ['unknown'], file: join(folder.dir, 'd.js') },
    { handler: 'compiled', ordered: true, idle: false, events: ['email_sent'], file: join(folder.dir, 'e.js') },
  ]);
  expect(warnings).toEqual([]);
  expect(log.text()).toBe('');
});

test('leaves alone what is no handler file, and has none where there is no folder', async () => {
  mkdirSync(join(folder.dir, 'lib'));
  mkdirSync(join(folder.dir, 'folder.ts'));
  for (const name of ['.hidden.ts', 'types.d.ts', 'crm.test.ts', 'crm.spec.js', 'README.md', 'lib/api.ts', 'x.json']) {
    put(name, 'throw new Error("imported")');
  }
  expect(await load()).toEqual({ handlers: [], warnings: [] });
  expect(await load(join(folder.dir, 'absent'))).toEqual({ handlers: [], warnings: [] });
});

test('follows links, as a mounted ConfigMap has them', async () => {
  mkdirSync(join(folder.dir, '..data'));
  put('..data/linked.mjs', "export default { name: 'linked', events: ['*'], handle() {} }");
  symlinkSync('..data/linked.mjs', join(folder.dir, 'linked.mjs'));
  expect((await load()).handlers.map(({ handler }) => handler)).toEqual(['linked']);
});

test('names every file at fault, with its reason, in one line each', async () => {
  put('00-good.mjs', "export default { name: 'good', events: ['*'], handle() {} }");
  put('01-syntax.ts', 'export default {\n  name: ;\n}');
  put('02-throws.mjs', "throw new Error('no CRM_TOKEN for\\njane@lead.example')");
  put('03-missing.mjs', "import 'no-such-package-anywhere'; export default {}");
  put('04-none.mjs', 'export const handler = 1');
  put('05-function.mjs', 'export default () => {}');
  put('06-shape.mjs', "export default { name: 'no spaces', events: [], ordered: 'yes', handle: 1 }");
  put('07-events.mjs', "export default { name: 'x', events: ['reply_received', ''], handle() {} }");
  put('08-enum.ts', "enum A { b } export default { name: 'enum', events: ['*'], handle: () => A.b }");
  put('09-exits.mjs', 'process.exit(0)');
  put('10-namesake.mjs', "export default { name: 'good', events: ['*'], handle() {} }");
  put(
    '11-forgets.mjs',
    "Promise.reject(new Error('forgotten')); export default { name: 'f', events: ['*'], handle() {} }",
  );
  put('12-spins.mjs', 'while (true) {}');
  put('13-waits.mjs', 'await new Promise(() => {}); export default {}');
  put('14-good.mjs', "export default { name: 'last', events: ['*'], handle() {} }");
  symlinkSync('nowhere.mjs', join(folder.dir, '15-dangling.mjs'));
  const faults = await faultsOf(load(folder.dir, 1_500));
  const reasons = new Map<string, string[]>();
  for (const fault of faults) {
    expect(fault).not.toMatch(/\n|jane/);
    const [, file = '', reason = ''] = /^\S*\/(\S+) (.*)$/.exec(fault) ?? [];
    reasons.set(file, [...(reasons.get(file) ?? []), reason]);
  }
  const mend = '; mend it, or move it out of HANDLERS_DIR';
  const only = (reason: RegExp | string) => [expect.stringMatching(reason)];
  expect(Object.fromEntries(reasons)).toEqual({
    '01-syntax.ts': only(/^is no usable handler: SyntaxError: .+; mend it/),
    '02-throws.mjs': [`is no usable handler: Error: no CRM_TOKEN for [address] (02-throws.mjs:1:7)${mend}`],
    '03-missing.mjs': only(/ERR_MODULE_NOT_FOUND|no-such-package-anywhere/),
    '04-none.mjs': only(/it has no default export/),
    '05-function.mjs': only(/its default export is not an object/),
    '06-shape.mjs': [
      expect.stringMatching(/name must be/),
      expect.stringMatching(/events must be/),
      expect.stringMatching(/ordered must be/),
      expect.stringMatching(/handle must be/),
    ],
    '07-events.mjs': only(/events must be/),
    '08-enum.ts': only(/SyntaxError|ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX/),
    '09-exits.mjs': only(/must not call process\.exit/),
    '10-namesake.mjs': only(/00-good\.mjs both name their handler good/),
    '11-forgets.mjs': only(/an error that nothing caught: Error: forgotten/),
    '12-spins.mjs': only(/it is not loaded after 1\.5 s/),
    '13-waits.mjs': only(/it is not loaded after 1\.5 s/),
    '15-dangling.mjs': only(/ERR_MODULE_NOT_FOUND/),
  });
});

test('says what a HANDLERS_DIR that is no folder is', async () => {
  put('file', '');
  expect(await faultsOf(load(join(folder.dir, 'file')))).toEqual([
    expect.stringMatching(/^HANDLERS_DIR: .* \(ENOTDIR\)/),
  ]);
});

test('doubts names that only look like event types', async () => {
  put(
    'a.mjs',
    `export default { name: 'doubtful', handle() {},
      events: ['email_replied', 'reply_recieved', 'all_events', 'lead.closed', 'Hot lead', 'email_sent', 'unknown', '*'] }`,
  );
  const { warnings } = await load();
  expect(warnings).toHaveLength(4);
  expect(warnings.map((warning) => warning.replace(/\(.*\) /, ''))).toEqual([
    expect.stringMatching(/^handler doubtful takes email_replied, which is no event type and counts as a custom label/),
    expect.stringMatching(/reply_recieved.*; did you mean reply_received\?$/),
    expect.stringMatching(/all_events.*; did you mean '\*'\?$/),
    expect.stringMatching(/lead\.closed.*; did you mean lead_closed\?$/),
  ]);
});

test('what a file prints while it is loaded is a line of the log', async () => {
  put('prints.mjs', "console.log('hello'); export default { name: 'prints', events: ['*'], handle() {} }");
  await load();
  expect(log.lines()).toEqual([
    expect.objectContaining({ handler: 'loader', file: 'prints.mjs', msg: 'hello', stream: 'stdout' }),
  ]);
});
