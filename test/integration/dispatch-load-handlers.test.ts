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
  const { handlers, warnings, labels } = await load();
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
  expect(labels).toEqual(['Hot Lead']);
  expect(log.text()).toBe('');
});

test('leaves alone what is no handler file, and has none where there is no folder', async () => {
  mkdirSync(join(folder.dir, 'lib'));
  for (const name of ['.hidden.ts', 'types.d.ts', 'crm.test.ts', 'crm.spec.js', 'README.md', 'lib/api.ts', 'x.json']) {
    put(name, 'throw new Error("imported")');
  }
  expect(await load()).toEqual({ handlers: [], warnings: [], labels: [] });
  expect(await load(join(folder.dir, 'absent'))).toEqual({ handlers: [], warnings: [], labels: [] });
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

const HANDLER = "export default { name: 'n', events: ['*'], handle() {} }";

test('names each file that looks like a handler and is not loaded, with the fix', async () => {
  const ending = /is not loaded, because handler files end with \.ts, \.js or \.mjs; rename it/;
  const nested = /looks like a handler and is not loaded, because it lies in a subfolder; move it/;
  const expected: Record<string, RegExp> = {
    'a.cjs': ending,
    'b.mts': ending,
    'c.cts': ending,
    'd.tsx': ending,
    'e.jsx': ending,
    'f.TS': ending,
    'g.json': ending,
    'h.ts.txt': ending,
    'i.test.ts': /is not loaded, because it is named like a test; rename it/,
    'j.ts': /j\.ts is a folder and no handler; put the handler file in its place/,
    'lib/k.ts': nested,
    'lib/deep/l.cjs': nested,
  };
  for (const sub of ['j.ts', 'lib/deep', 'node_modules/crm', '.git'])
    mkdirSync(join(folder.dir, sub), { recursive: true });
  for (const name of Object.keys(expected)) if (name !== 'j.ts') put(name, HANDLER);
  put('a.cjs', "module.exports = { name: 'n', events: ['*'], handle() {} };");
  put('g.json', '{ "name": "n", "events": ["*"], "handle": "./n.js" }');
  for (const name of ['.swp.ts', 'types.d.mts', 'README.md', 'lib/.x.ts', 'node_modules/crm/m.ts', '.git/n.ts'])
    put(name, HANDLER);
  put('package.json', '{ "type": "module" }');
  put('lib/api.cjs', 'exports.handle = () => {};');
  const { handlers, warnings } = await load();
  expect(handlers).toEqual([]);
  const told = warnings.map((warning) => [warning.split(' ')[0]?.slice(folder.dir.length + 1), warning]);
  expect(told.toSorted()).toEqual(
    Object.entries(expected)
      .map(([name, text]) => [name, expect.stringMatching(text)])
      .toSorted(),
  );
});

test.each<[string, RegExp]>([
  ['Reply_Received', /did you mean reply_received\?$/],
  ['reply-received', /did you mean reply_received\?$/],
  ['replyReceived', /did you mean reply_received\?$/],
  [' reply_received', /takes " reply_received", .*did you mean reply_received\?$/],
  ['email_replied', /which is no event type and counts as a custom label; did you mean reply_received\?$/],
  ['email.opened', /did you mean email_opened\?$/],
  ['lead_replied', /did you mean reply_received\?$/],
  ['reply_recieved', /did you mean reply_received\?$/],
  ['clicked', /did you mean email_link_clicked\?$/],
  ['Interested', /did you mean lead_interested\?$/],
  ['all_events', /did you mean '\*'\?$/],
  ['reply_*', /is no pattern .*'\*' alone takes all$/],
  ['reply_received, email_sent', /as one name; write each type as an element of its own$/],
  ['lead_hot', /which is no event type and counts as a custom label$/],
])('doubts that an event is called %j', async (event, doubt) => {
  put('a.mjs', `export default { name: 'doubtful', events: [${JSON.stringify(event)}], handle() {} }`);
  const { warnings, labels } = await load();
  expect(warnings).toEqual([expect.stringMatching(/^handler doubtful \(.*a\.mjs\) takes /)]);
  expect(warnings[0]).toMatch(doubt);
  expect(labels).toEqual([]);
});

test('takes any other text as a label, and tells which', async () => {
  const known = ['email_sent', 'link_clicked', 'unknown', '*'];
  const texts = ['Hot Lead', 'Asked for pricing', 'Rückruf', 'VIP'];
  put('a.mjs', `export default { name: 'a', events: ${JSON.stringify([...known, ...texts])}, handle() {} }`);
  expect(await load()).toMatchObject({ warnings: [], labels: texts });
});

test('what a file prints while it is loaded is a line of the log', async () => {
  put('prints.mjs', "console.log('hello'); export default { name: 'prints', events: ['*'], handle() {} }");
  await load();
  expect(log.lines()).toEqual([
    expect.objectContaining({ handler: 'loader', file: 'prints.mjs', msg: 'hello', stream: 'stdout' }),
  ]);
});
