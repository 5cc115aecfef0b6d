import { expect, test } from '@jest/globals';
import { createRegistries } from '../../src/metrics/registries.ts';

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
