import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { SettingsError } from '../../src/errors/problem.ts';
import { until } from '../support/converse.ts';
import { withToken } from '../support/credentials.ts';
import { handlerOf, openStore } from '../support/make-store.ts';
import { freshBody } from '../support/payloads.ts';
import { ask, post } from '../support/post.ts';
import { BOTH_SCHEMES, makeFolder, type RunningReceiver, startReceiver } from '../support/start-receiver.ts';
import { HandlerFolder } from '../unit/dispatch-support.ts';

let handlers: HandlerFolder;
let place: string;
let running: RunningReceiver | undefined;

beforeEach(() => {
  handlers = new HandlerFolder();
  place = makeFolder();
  running = undefined;
});

afterEach(async () => {
  await running?.receiver.dispatcher?.drain({ handlersMs: 0 });
  await running?.stop();
  handlers.remove();
  rmSync(place, { recursive: true, force: true });
});

/** A receiver over a store that knows the handlers named from an earlier start. */
async function start(known: readonly string[], strict = 'off'): Promise<RunningReceiver> {
  const store = await openStore(place);
  await store.registerHandlers(known.map(handlerOf));
  await store.close();
  running = await startReceiver({
    ...BOTH_SCHEMES,
    HANDLERS_DIR: handlers.dir,
    STRICT_HANDLERS: strict,
    DATABASE_URL: `sqlite:${join(place, 'data', 'receiver.db')}`,
  });
  await running.receiver.dispatcher?.start();
  return running;
}

async function accept(to: RunningReceiver): Promise<void> {
  expect((await post(to, freshBody(), withToken)).status).toBe(200);
}

const states = async ({ receiver }: RunningReceiver) => (await receiver.store.counts()).deliveries;

test('a faulty file keeps nothing from being received: its deliveries wait until it is right, by a helper written in steps', async () => {
  handlers.writeHandle('good', "say('good ran');");
  handlers.write(
    'crm.mjs',
    "import { word } from './lib/helper.mjs'; export default { name: 'crm', events: ['*'], handle() { say(word); } };",
  );
  mkdirSync(join(handlers.dir, 'lib'));
  writeFileSync(join(handlers.dir, 'lib', 'helper.mjs'), 'export const word = {');
  const receiver = await start(['crm', 'good', 'removed']);
  await accept(receiver);
  await handlers.until('good ran');
  await until(async () => (await states(receiver)).done === 1, 'the good one');
  // Of a handler that was removed at the same time nobody can know.
  expect(await states(receiver)).toMatchObject({ pending: 2, dead: 0 });
  const ready = await ask(receiver, { method: 'get', path: '/readyz' });
  expect(JSON.parse(ready.text)).toMatchObject({ status: 'ok', faultyHandlerFiles: 1 });
  const { text } = await ask(receiver, { method: 'get', path: '/metrics' });
  expect(text).toContain('instantly_faulty_handler_files 1\n');
  expect(text).toContain('instantly_deliveries{state="orphaned"} 0\n');
  expect(JSON.stringify(receiver.log.lines)).toMatch(/crm\.mjs is no usable handler: SyntaxError/);
  writeFileSync(join(handlers.dir, 'lib', 'helper.mjs'), '');
  writeFileSync(join(handlers.dir, 'lib', 'helper.mjs'), "export const word = 'crm ran';");
  await handlers.until('crm ran');
  await until(async () => (await states(receiver)).done === 2, 'both');
  expect((await receiver.receiver.store.registeredHandlers()).map(({ handler }) => handler)).toEqual(['crm', 'good']);
  expect((await receiver.receiver.store.orphans()).handlers).toEqual([{ handler: 'removed', pending: 1, dead: 0 }]);
});

test('a file that waits for a service that is away delays no answer, and its handler runs once that is back', async () => {
  const flag = join(handlers.dir, 'back');
  handlers.write(
    'slow.mjs',
    `import { existsSync } from 'node:fs';
     while (!existsSync('${flag}')) await new Promise((resolve) => setTimeout(resolve, 50));
     export default { name: 'slow', events: ['*'], handle() { say('slow ran'); } };`,
  );
  const receiver = await start(['slow']);
  await accept(receiver);
  expect(await states(receiver)).toMatchObject({ pending: 1 });
  writeFileSync(flag, '');
  await handlers.until('slow ran');
});

test('a faulty file that no start has known does not end the start either', async () => {
  handlers.write('new.mjs', "throw new Error('no CRM_URL')");
  const receiver = await start([]);
  await accept(receiver);
  expect(JSON.stringify(receiver.log.lines)).toMatch(/new\.mjs is no usable handler: Error: no CRM_URL/);
});

test('STRICT_HANDLERS=on ends the start', async () => {
  handlers.write('new.mjs', "throw new Error('no CRM_URL')");
  await expect(start(['new'], 'on')).rejects.toThrow(SettingsError);
});
