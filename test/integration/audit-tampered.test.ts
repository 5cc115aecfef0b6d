import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { executeSqlite } from '../contract/tamper-sqlite.ts';
import { TOKEN } from '../support/credentials.ts';
import { type RunningReceiver, startReceiver } from '../support/start-receiver.ts';

let running: RunningReceiver;

afterEach(() => running.stop());

const get = (path: string): Promise<Response> => fetch(`${running.url}${path}`);

async function deliver(content: string): Promise<number> {
  const { status } = await fetch(`${running.url}/webhooks/instantly`, {
    method: 'POST',
    headers: { 'x-webhook-secret': TOKEN },
    body: JSON.stringify({ event_type: 'email_sent', content }),
  });
  return status;
}

test('a log that is set back under a receiver is told of by the log, /readyz and /metrics, and events are accepted', async () => {
  running = await startReceiver({ INSTANTLY_WEBHOOK_TOKEN: TOKEN });
  expect([await deliver('a'), await deliver('b')]).toEqual([200, 200]);
  const isOfStrangers = `writer LIKE 'anonymous-%'`;
  const chain = `(SELECT chain FROM audit_chains WHERE NOT ${isOfStrangers})`;
  executeSqlite(
    join(running.folder, 'data/receiver.db'),
    `DELETE FROM audit_entries WHERE chain = ${chain} AND seq > 2;
     UPDATE audit_chains SET seq = 2, hash = (SELECT hash FROM audit_entries WHERE chain = ${chain} AND seq = 2)
       WHERE chain = ${chain}`,
  );
  expect(await deliver('c')).toBe(200);
  const ready = await get('/readyz');
  expect([ready.status, await ready.json()]).toMatchObject([200, { status: 'ok', auditTampered: 1 }]);
  expect(await (await get('/metrics')).text()).toContain('instantly_audit_tampered_total 1\n');
  const line = running.log.lines.find(({ msg }) => String(msg).startsWith('the audit log was tampered with'));
  expect(line).toMatchObject({ level: 50, reason: 'head-changed', expected: { seq: 4 }, found: { seq: 2 } });
});
