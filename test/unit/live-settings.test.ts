import { rmSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { loadSettings } from '../../src/config/load-settings.ts';
import type { Settings } from '../../src/config/settings.ts';
import { LiveSettings } from '../../src/live-settings.ts';
import { makeFolder } from '../support/start-receiver.ts';

test('the log says that new settings are in force once every listener has applied them', async () => {
  const cwd = makeFolder();
  const read = (token: string): Settings =>
    loadSettings({ env: { INSTANTLY_WEBHOOK_TOKEN: token }, cwd, create: true });
  const said: string[] = [];
  const say = (_: unknown, text?: string): void => void said.push(String(text));
  const live = new LiveSettings({
    settings: read('token-before-the-change-1'),
    load: () => read('token-after-the-change-22'),
    record: () => undefined,
    logger: { info: say, warn: say, error: say },
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  live.onChange(() => promise);
  live.onChange(() => void said.push('another listener'));
  live.reload('a test');
  await setImmediate();
  expect(said).toEqual(['another listener']);
  resolve();
  await setImmediate();
  expect(said).toEqual(['another listener', 'new settings are in force']);
  live.reload('a test');
  expect(said.at(-1)).toBe('the settings have not changed');
  rmSync(cwd, { recursive: true });
});
