import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type FakeInstantly, startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import { callFake, startTarget, type Target } from '../support/call-fake.ts';

const EVENTS = 57;
const START = Date.parse('2026-09-07T23:59:00.000Z');

let target: Target;
let fake: FakeInstantly;
let plain: FakeInstantly;
let time = START;

beforeAll(async () => {
  target = await startTarget();
  const options = {
    now: () => time,
    webhooks: [{ target_hook_url: `${target.url}/a`, event_type: 'all_events' as const }],
  };
  fake = await startFakeInstantly(options);
  plain = await startFakeInstantly({ ...options, cursorAtEnd: false });
  for (let index = 0; index < EVENTS; index += 1) {
    // Several in the same millisecond, some on the next day, and the clock goes back now and then.
    if (index % 3 === 0) time += index % 9 === 0 ? -10 : 7_000;
    target.answer = index % 4 === 0 ? 500 : 200;
    await fake.emit('email_sent');
    await plain.emit('email_sent');
  }
}, 60_000);

afterAll(async () => {
  await fake.close();
  await plain.close();
  await target.stop();
});

interface Page {
  readonly items: { readonly id: string; readonly success: boolean; readonly timestamp_created_date: string }[];
  readonly next_starting_after?: string;
}

async function readAll(from: FakeInstantly, path: string, limit: number, query = ''): Promise<Page[]> {
  const pages: Page[] = [];
  let cursor = '';
  for (;;) {
    const { body } = await callFake(from, `GET ${path}?limit=${limit}${query}${cursor}`);
    const page = body as Page;
    pages.push(page);
    if (page.items.length === 0 || page.next_starting_after === undefined) return pages;
    cursor = `&starting_after=${page.next_starting_after}`;
  }
}

const idsOf = (pages: readonly Page[]): string[] => pages.flatMap(({ items }) => items.map(({ id }) => id));

describe('pages', () => {
  test('of any size are the whole list, each entry once, newest first, and end with an empty one', async () => {
    const expected = fake
      .log()
      .map(({ id }) => id)
      .reverse();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 100 }), async (limit) => {
        const pages = await readAll(fake, '/webhook-events', limit);
        expect(idsOf(pages)).toEqual(expected);
        expect(pages.at(-1)).toEqual({ items: [] });
        expect(pages.slice(0, -1).every(({ items }) => items.length > 0 && items.length <= limit)).toBe(true);
      }),
      { numRuns: 15 },
    );
  });

  test('without a cursor at the end stop by themselves', async () => {
    for (const limit of [1, 19, 56, 57, 58, 100]) {
      const pages = await readAll(plain, '/webhook-events', limit);
      expect(idsOf(pages)).toEqual(
        plain
          .log()
          .map(({ id }) => id)
          .reverse(),
      );
      expect(pages).toHaveLength(Math.ceil(EVENTS / limit));
    }
  });

  test('hold 10 where nobody says how many', async () => {
    expect((await callFake(fake, 'GET /webhook-events')).body).toHaveProperty('items.length', 10);
  });

  test('are not shifted by what is written while they are read', async () => {
    const log = fake
      .log()
      .map(({ id }) => id)
      .reverse();
    const first = (await callFake(fake, 'GET /webhook-events?limit=5')).body as Page;
    await fake.emit('email_opened');
    const second = (await callFake(fake, `GET /webhook-events?limit=5&starting_after=${first.next_starting_after}`))
      .body as Page;
    expect(idsOf([first, second])).toEqual(log.slice(0, 10));
  });

  test('go on after a webhook that is there no more', async () => {
    const made: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      const { body } = await callFake(fake, 'POST /webhooks', { body: { target_hook_url: 'https://a.example/' } });
      made.unshift((body as { id: string }).id);
    }
    const first = (await callFake(fake, 'GET /webhooks?limit=2')).body as Page;
    expect(idsOf([first])).toEqual(made.slice(0, 2));
    await callFake(fake, `DELETE /webhooks/${first.next_starting_after}`);
    const second = (await callFake(fake, `GET /webhooks?limit=3&starting_after=${first.next_starting_after}`))
      .body as Page;
    expect(idsOf([second])).toEqual(made.slice(2));
    for (const id of made) await callFake(fake, `DELETE /webhooks/${id}`);
  });
});

describe('filters', () => {
  test.each(['true', 'false'])('success=%s', async (success) => {
    const items = (await readAll(fake, '/webhook-events', 7, `&success=${success}`)).flatMap((page) => page.items);
    const expected = fake.log().filter((entry) => String(entry.success) === success);
    expect(items.map(({ id }) => id)).toEqual(expected.map(({ id }) => id).reverse());
    expect(items.length).toBeGreaterThan(0);
  });

  test.each([
    ['&from=2026-09-08', ['2026-09-08']],
    ['&to=2026-09-07', ['2026-09-07']],
    ['&from=2026-09-07&to=2026-09-08', ['2026-09-07', '2026-09-08']],
    ['&from=2026-09-09', []],
  ])('%s, both days inclusive', async (query, days) => {
    const items = (await readAll(fake, '/webhook-events', 100, query)).flatMap((page) => page.items);
    expect([...new Set(items.map((item) => item.timestamp_created_date))].sort()).toEqual(days);
    expect(items).toHaveLength(fake.log().filter((entry) => days.includes(entry.timestamp_created_date)).length);
    const summary = (await callFake(fake, `GET /webhook-events/summary?${query.slice(1)}`)).body;
    const failed = items.filter(({ success }) => !success).length;
    expect(summary).toMatchObject({ total_events: items.length, failed_events: failed });
    const byDate = (await callFake(fake, `GET /webhook-events/summary-by-date?${query.slice(1)}`)).body;
    expect((byDate as { items: { date: string }[] }).items.map(({ date }) => date)).toEqual(days);
  });

  test('search is a whole address, of a webhook or a lead', async () => {
    const lead = fake.log()[3]?.lead_email ?? '';
    const search = async (text: string): Promise<number> =>
      idsOf(await readAll(fake, '/webhook-events', 100, `&search=${encodeURIComponent(text)}`)).length;
    expect(await search(lead)).toBe(1);
    expect(await search(lead.slice(1))).toBe(0);
    expect(await search(`${target.url}/a`)).toBe(fake.log().length);
    expect(await search(target.url)).toBe(0);
  });

  test('of webhooks: the subscription and the campaign', async () => {
    const campaign = '01993c5e-7b12-7a40-9d3f-5e8c21b7a604';
    const draft = { target_hook_url: 'https://a.example/', event_type: 'reply_received', campaign };
    const { body } = await callFake(fake, 'POST /webhooks', { body: draft });
    for (const query of ['&event_type=reply_received', `&campaign=${campaign}`]) {
      expect(idsOf(await readAll(fake, '/webhooks', 10, query))).toEqual([(body as { id: string }).id]);
    }
    expect(idsOf(await readAll(fake, '/webhooks', 10, '&event_type=email_sent'))).toEqual([]);
  });

  test('of the audit log: activity, words, days', async () => {
    const ask = async (query: string): Promise<number> =>
      idsOf(await readAll(fake, '/audit-logs', 1_000, query)).length;
    const all = fake.auditLog();
    expect(await ask('')).toBe(all.length);
    expect(await ask('&activity_type=18')).toBe(all.filter((entry) => entry.activity_type === 18).length);
    expect(await ask('&activity_type=1')).toBe(0);
    expect(await ask('&search=DELETED')).toBe(all.filter(({ audit_metadata: { deleted } }) => deleted === true).length);
    expect(await ask('&end_date=2026-09-07')).toBe(all.filter(({ timestamp }) => timestamp < '2026-09-08').length);
    expect(await ask('&start_date=2026-09-08')).toBe(all.filter(({ timestamp }) => timestamp >= '2026-09-08').length);
  });
});

test('the log keeps the newest entries only, and forgets the ids of the others', async () => {
  const small = await startFakeInstantly({
    logLimit: 5,
    webhooks: [{ target_hook_url: target.url, event_type: 'all_events' }],
  });
  try {
    const ids: string[] = [];
    for (let index = 0; index < 12; index += 1) ids.push((await small.emit('email_sent'))[0]?.id ?? '');
    expect(small.log().map(({ id }) => id)).toEqual(ids.slice(-5));
    expect((await callFake(small, `GET /webhook-events/${ids[6]}`)).status).toBe(404);
    expect((await callFake(small, `GET /webhook-events/${ids[7]}`)).status).toBe(200);
  } finally {
    await small.close();
  }
});
