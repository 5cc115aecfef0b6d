import { describe, expect, test } from '@jest/globals';
import { Secret } from '../../src/config/secret.ts';
import { startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import { openAccounts } from '../../src/instantly/open-accounts.ts';
import { Pacer } from '../../src/instantly/pacer.ts';

const NEVER = new AbortController().signal;

describe('the pace', () => {
  test('is ten calls a second', async () => {
    const pacer = new Pacer(10);
    const times = await Promise.all(Array.from({ length: 14 }, () => pacer.turn(NEVER).then(() => performance.now())));
    for (const [index, time] of times.entries()) {
      const tenBefore = times[index - 10];
      // A timer may be a millisecond early.
      if (tenBefore !== undefined) expect(time - tenBefore).toBeGreaterThan(990);
    }
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test('is no pace where nobody hurries', async () => {
    let now = 0;
    const pacer = new Pacer(0.001, () => now);
    for (let turn = 0; turn < 5; turn += 1) {
      await pacer.turn(NEVER);
      now += 1_000_000;
    }
  });

  test('lets go of whoever is told to end', async () => {
    const pacer = new Pacer(0.001, () => 0);
    await pacer.turn(NEVER);
    const stop = new AbortController();
    const reason = new Error('ended by the operator');
    const waiting = pacer.turn(stop.signal);
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  test('is shared by what reads and what writes', async () => {
    const fake = await startFakeInstantly();
    const { reader, writer } = openAccounts(
      {
        apiUrl: fake.url,
        readKey: { setting: 'INSTANTLY_READ_KEY', secret: new Secret(fake.keys.read) },
        writeKey: { setting: 'INSTANTLY_WRITE_KEY', secret: new Secret(fake.keys.all) },
      },
      'operator',
      () => undefined,
    );
    const missing = '00000000-0000-4000-8000-000000000000';
    const asked = Array.from({ length: 4 }, () => [reader?.eventTypes(NEVER), writer?.deleteWebhook(missing, NEVER)]);
    await Promise.all(asked.flat());
    const times = fake.calls().map(({ at }) => at);
    expect(times).toHaveLength(8);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(650);
    await fake.close();
  });
});
