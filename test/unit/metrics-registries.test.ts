import { expect, jest, test } from '@jest/globals';
import pino from 'pino';
import { composeMetrics } from '../../src/compose-metrics.ts';
import { StoreUnavailable } from '../../src/errors/problem.ts';
import { createRegistries } from '../../src/metrics/registries.ts';
import { CapturedLog } from '../support/capture-log.ts';

const { prometheus, openMetrics } = createRegistries();

/** Types by name, as a scrape has them. */
async function typesOf(registry: { metrics(): Promise<string> }): Promise<ReadonlyMap<string, string>> {
  const lines = (await registry.metrics()).matchAll(/^# TYPE (\S+) (\S+)$/gm);
  return new Map([...lines].map(([, name = '', type = '']) => [name, type]));
}

test('only counters have the ending of one, which `promtool check metrics` asks for', async () => {
  const types = await typesOf(prometheus);
  for (const [name, type] of types) expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
  expect(types.size).toBeGreaterThan(20);
});

test('the default metrics of the process are there in both formats', async () => {
  const [plain, open] = [await typesOf(prometheus), await typesOf(openMetrics)];
  for (const name of ['process_resident_memory_bytes', 'nodejs_eventloop_lag_seconds', 'nodejs_active_handles'])
    expect([name, plain.get(name), open.get(name)]).toEqual([name, 'gauge', 'gauge']);
  expect([plain.get('process_cpu_seconds_total'), open.get('process_cpu_seconds')]).toEqual(['counter', 'counter']);
  expect([...open.keys()].filter((name) => name.endsWith('_total'))).toEqual([]);
});

test('a store that does not answer scrapes is logged once, however often they come', async () => {
  const log = new CapturedLog();
  const away = () => Promise.reject(new StoreUnavailable('away'));
  const serving = { store: { counts: away, orphans: away }, spilledEvents: () => 0 };
  const clock = jest.spyOn(performance, 'now');
  const { registries } = composeMetrics(
    serving,
    () => 0,
    () => 0,
    pino({ base: null }, log),
  );
  for (let second = 0; second < 5; second += 1) {
    clock.mockReturnValue(second * 1_000);
    expect(await registries.prometheus.metrics()).toContain('instantly_store_fault{kind="outage"} 1');
  }
  clock.mockRestore();
  expect(log.lines).toHaveLength(1);
});
