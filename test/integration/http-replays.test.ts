import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { TOKEN } from '../support/credentials.ts';
import { post } from '../support/post.ts';
import { runCommand } from '../support/run-command.ts';
import { BOTH_SCHEMES, type RunningReceiver, startReceiver } from '../support/start-receiver.ts';

// A delivery that was recorded on its way and is sent again, with all its credentials.

const HOUR_MS = 3_600_000;

let running: RunningReceiver;

interface Said {
  readonly status: string;
  readonly id: string;
}

async function send(timestamp: string | undefined, more: object = {}): Promise<Said> {
  const body = JSON.stringify({ event_type: 'email_sent', timestamp, ...more });
  const answer = await post(running, body, { 'x-webhook-secret': TOKEN });
  expect(answer.status).toBe(200);
  return JSON.parse(answer.text) as Said;
}

const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
const entryOf = async (id: string) => {
  const { entries } = await running.receiver.store.tailAudit(50);
  return entries.find(({ metadata }) => Object.values(metadata).includes(id));
};

afterEach(() => running.stop());

describe('with MAX_EVENT_AGE', () => {
  beforeEach(async () => {
    running = await startReceiver({ ...BOTH_SCHEMES, MAX_EVENT_AGE: '24h' });
  });

  test('an older event is kept in quarantine, and its sender need not send it again', async () => {
    const body = { timestamp: '2020-01-02T03:04:05.000Z' };
    const first = await send(body.timestamp);
    expect(first.status).toBe('quarantined');
    expect(await send(body.timestamp)).toEqual(first);
    const { store } = running.receiver;
    const [held, ...others] = await store.listQuarantine({ limit: 10 });
    expect(others).toEqual([]);
    expect(held).toMatchObject({ id: first.id, reason: 'too-old', times: 2, state: 'held' });
    expect(await store.listEvents({ limit: 10 })).toEqual([]);
    const { entries } = await store.tailAudit(50);
    const reasons = entries
      .filter(({ action }) => action === 'webhook.receive')
      .map(({ result, metadata }) => [result, metadata['reason']]);
    expect(reasons).toEqual([
      ['success', 'too-old'],
      ['success', 'too-old'],
    ]);
  });

  test('the operator lets it in all the same', async () => {
    const { id } = await send(ago(25 * HOUR_MS));
    running.receiver.stopAccepting();
    running.receiver.server.closeAllConnections();
    const ran = await runCommand(running.folder, ['quarantine', 'retry', id], { env: { MAX_EVENT_AGE: '24h' } });
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Accepted as event /) });
  });

  test.each([
    ['a younger one', () => ago(23 * HOUR_MS)],
    ['one from the future, whose sender has another clock', () => ago(-48 * HOUR_MS)],
    ['one without a timestamp', () => undefined],
    ['one whose timestamp cannot be read', () => 'some day'],
  ])('%s is accepted', async (_, timestamp) => {
    const said = await send(timestamp());
    expect(said.status).toBe('accepted');
    expect((await entryOf(said.id))?.metadata['reason']).toBe('accepted');
  });

  test('what has no timestamp is a duplicate for as long as other events', async () => {
    const { id } = await send(undefined);
    expect(await validFor(id)).toBe(running.settings.retentionMs);
  });
});

test('without it an event of any age is accepted, and one without a timestamp remembered for an hour', async () => {
  running = await startReceiver();
  expect((await send('2020-01-02T03:04:05.000Z')).status).toBe('accepted');
  const { id } = await send(undefined);
  expect(await validFor(id)).toBe(HOUR_MS);
});

/** Milliseconds from its arrival for which the same content is a duplicate. */
async function validFor(id: string): Promise<number> {
  const { DatabaseSync } = await import('node:sqlite');
  const { store } = running.settings;
  if (store.kind !== 'sqlite') throw new Error('no SQLite file');
  const database = new DatabaseSync(store.file, { readOnly: true });
  try {
    const row = database
      .prepare(
        'SELECT k.valid_until - e.received_at AS ms FROM dedup_keys k JOIN events e ON e.seq = k.event_seq WHERE e.id = ?',
      )
      .get(id);
    return Number(row?.['ms']);
  } finally {
    database.close();
  }
}
