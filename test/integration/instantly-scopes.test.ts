import { afterEach, expect, test } from '@jest/globals';
import { type InstantlyRig, startRig } from '../support/instantly-rig.ts';

let rig: InstantlyRig;

afterEach(() => rig.stop());

const get = async (path: string): Promise<{ readonly status: number; readonly text: string }> => {
  const answer = await fetch(`${rig.receiver.url}${path}`);
  return { status: answer.status, text: await answer.text() };
};

const deliver = (lead: string): Promise<Response> =>
  fetch(`${rig.receiver.url}/webhooks/instantly`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-webhook-secret': rig.token },
    body: JSON.stringify({ event_type: 'email_sent', lead_email: lead, timestamp: new Date().toISOString() }),
  });

test('a receiver says which scopes are too many: log, /readyz and metrics; with strict it uses no such key and takes deliveries', async () => {
  rig = await startRig({
    settings: { NODE_ENV: 'production', AUDIT_KEY: 'audit-key-of-this-test-000001', INSTANTLY_SCOPES: 'strict' },
  });
  const { log } = rig.receiver;
  const line = await log.waitFor(
    () => log.lines.find(({ msg }) => String(msg).includes('the key in INSTANTLY_WRITE_KEY has excess scopes')),
    'excess scopes',
  );
  expect(line).toMatchObject({ level: 40, key: 'INSTANTLY_WRITE_KEY', scopes: ['all:all'] });
  await log.waitFor(
    () =>
      log.lines.find(({ msg }) =>
        String(msg).includes('INSTANTLY_SCOPES=strict does not use the key in INSTANTLY_READ_KEY'),
      ),
    'a refusal',
  );
  expect((await deliver('a@b.example')).status).toBe(200);
  const ready = await get('/readyz');
  expect(ready.status).toBe(200);
  expect(JSON.parse(ready.text)).toMatchObject({ status: 'ok', excessScopes: 2, registration: { status: 'unknown' } });
  const { text } = await get('/metrics');
  expect(text).toContain('instantly_excess_scopes{key="INSTANTLY_READ_KEY"} 1');
  expect(text).toContain('instantly_excess_scopes{key="INSTANTLY_WRITE_KEY"} 1');
  const operations = rig.fake.calls().map(({ operation }) => operation);
  expect([...new Set(operations)]).toEqual(['GET /api-keys']);
  const registered = await rig.run('webhooks', 'register');
  expect(registered.code).toBe(1);
  expect(registered.stderr).toContain('INSTANTLY_SCOPES=strict does not use the key in INSTANTLY_READ_KEY');
  const entries = await rig.json<{ action: string; metadata: { reason?: string } }[]>(
    'audit',
    'tail',
    '--limit',
    '100',
  );
  expect(entries.filter(({ metadata }) => metadata.reason === 'excess-scopes').length).toBeGreaterThan(1);
}, 60_000);
