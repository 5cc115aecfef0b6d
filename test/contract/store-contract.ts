import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { deriveAuditKey } from '../../src/audit/chain.ts';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { newId } from '../../src/audit/new-id.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { Secret } from '../../src/config/secret.ts';
import { GroupCommit } from '../../src/inbox/group-commit.ts';
import type { ClaimedDelivery, DeliveryRoute, DeliveryState, Store } from '../../src/inbox/store.ts';
import { testDocuments } from './document-contract.ts';
import { testKeys } from './key-contract.ts';
import { makeAccept, makeBatch, makeDraft, makeOutcome, makeQuarantine } from './make-parts.ts';

export const AUDIT_KEY = 'an audit key for the contract suite';

export interface StoreUnderTest {
  /** Another process's view of the same data: a lane of its own. */
  open(): Promise<Store>;
  /** Changes what is stored behind the store's back. */
  tamper(change: 'metadata' | 'delete-entry' | 'reorder' | 'hide'): void | Promise<void>;
  /** From now on the store refuses each row that has the word "poison" for a type, an error or an action. */
  refusePoison(): void | Promise<void>;
  /** Closes what is open and removes everything. */
  remove(): Promise<void>;
}

const ORDERED: DeliveryRoute[] = [{ handler: 'crm', ordered: true }];

/** What every store does, whatever it is made of. */
export function describeStore(name: string, create: () => Promise<StoreUnderTest>): void {
  describe(`${name}: the store contract`, () => {
    let under: StoreUnderTest;
    let store: Store;
    let leases = 0;

    beforeEach(async () => {
      under = await create();
      store = await under.open();
    });
    afterEach(async () => {
      await under.remove();
    });

    const accept = async (...accepts: ReturnType<typeof makeAccept>[]) =>
      (await store.commit(makeBatch({ accepts }))).accepted;

    const claim = async (
      options: { now?: number; limit?: number; handler?: string } = {},
    ): Promise<ClaimedDelivery[]> => {
      const now = options.now ?? Date.now();
      leases += 1;
      const { deliveries } = await store.claim({
        now,
        places: [{ handler: options.handler ?? 'crm', limit: options.limit ?? 10 }],
        lease: `lease-${leases}`,
        leaseUntil: now + 60_000,
      });
      return [...deliveries];
    };

    const finish = (...outcomes: ReturnType<typeof makeOutcome>[]) => store.commit(makeBatch({ outcomes }));
    const states = async (): Promise<Record<DeliveryState, number>> => ({ ...(await store.counts()).deliveries });
    const register = (...names: readonly string[]) =>
      store.registerHandlers(names.map((handler) => ({ handler, ordered: true, events: ['email_sent'] })));
    const text = (delivery: ClaimedDelivery | undefined) => delivery && Buffer.from(delivery.body).toString();

    async function auditLog(): Promise<AuditEntry[]> {
      const snapshot = await store.openAuditSnapshot();
      const entries: AuditEntry[] = [];
      for (;;) {
        const last = entries.at(-1);
        const page = await snapshot.read(last && { writer: last.writer, seq: last.seq }, 3);
        if (page.length === 0) break;
        entries.push(...page);
      }
      await snapshot.close();
      return entries;
    }

    async function verify() {
      const entries = await auditLog();
      return verifyAudit(() => entries, deriveAuditKey(new Secret(AUDIT_KEY)));
    }

    /** A point in time after everything committed so far and before everything to come. */
    async function timeBetween(): Promise<number> {
      const between = Date.now() + 1;
      while (Date.now() <= between) await new Promise((resolve) => setTimeout(resolve, 1));
      return between;
    }

    describe('a clock that was set back an hour while nothing ran', () => {
      const HOUR_MS = 3_600_000;

      test('costs a retry its own wait at the most, and what it holds back no more', async () => {
        const ahead = Date.now() + HOUR_MS;
        await accept(
          makeAccept({ content: 'first', routes: ORDERED }),
          makeAccept({ content: 'second', routes: ORDERED }),
        );
        const [first] = await claim({ now: ahead });
        if (first === undefined) throw new Error('one was to be claimed');
        const retry = { state: 'pending', error: 'no', retryAt: ahead + 3_000, holdMs: 10_000 } as const;
        await finish({ ...makeOutcome(first, retry), at: ahead });
        const next = await under.open();
        const now = Date.now();
        await next.recoverLeases(now, 12);
        const due = async (at: number) => {
          const places = [{ handler: 'crm', limit: 1 }];
          const { deliveries } = await next.claim({ now: at, places, lease: `back ${at}`, leaseUntil: at + 60_000 });
          return deliveries.map(text);
        };
        expect(await due(now + 2_000)).toEqual([]);
        expect(await due(now + 3_000)).toEqual(['first']);
        expect(await due(now + 9_000)).toEqual([]);
        expect(await due(now + 10_000)).toEqual(['second']);
      });
    });

    describe('a row that the store refuses', () => {
      const lost: string[] = [];
      const commits = (): GroupCommit => {
        lost.length = 0;
        const audits = ['first', 'poison', 'last'].map((action) => makeDraft(action));
        return new GroupCommit({
          store,
          maxQueued: 100,
          maxBatch: 100,
          takeAudits: () => audits.splice(0),
          lostAudits: (drafts) => lost.push(...drafts.map(({ action }) => action)),
        });
      };

      test('is an event: only its bytes are kept, and all that shared its batch is committed', async () => {
        await under.refusePoison();
        await expect(accept(makeAccept({ type: 'poison' }))).rejects.toMatchObject({ name: 'RowRefused' });
        const group = commits();
        const poison = makeAccept({ type: 'poison', content: '{"n":1}' });
        const results = await Promise.all([
          ...[makeAccept(), poison, makeAccept()].map((one) => group.accept(one)),
          group.accept({ ...poison, event: { ...poison.event, id: newId() } }),
        ]);
        expect(results.map(({ status }) => status)).toEqual(['accepted', 'accepted', 'accepted', 'duplicate']);
        expect(await store.listEvents({ limit: 10 })).toHaveLength(2);
        const kept = await store.findQuarantined(results[1]?.id ?? '');
        expect(kept).toMatchObject({ reason: 'not-storable', times: 2, state: 'held' });
        expect(Buffer.from(kept?.body ?? []).toString()).toBe('{"n":1}');
        await group.settle();
        const actions = (await auditLog()).map(({ action }) => action);
        expect(actions).toEqual(expect.arrayContaining(['first', 'last']));
        expect(lost).toEqual(['poison']);
        expect(await verify()).toMatchObject({ ok: true });
      });

      test('is an outcome: it is committed without the text of its error, and so are those beside it', async () => {
        await accept(...['a', 'b'].map((lead) => makeAccept({ lead, routes: ORDERED })));
        const [one, two] = await claim();
        await under.refusePoison();
        if (one === undefined || two === undefined) throw new Error('two were to be claimed');
        const group = commits();
        await Promise.all([
          group.outcome(makeOutcome(one, { state: 'dead', error: 'poison' })),
          group.outcome(makeOutcome(two, { state: 'done' })),
        ]);
        expect(await states()).toMatchObject({ dead: 1, done: 1, running: 0 });
        expect(await store.listDead({ limit: 1 })).toMatchObject([
          { lastError: 'the store refused the text of this error' },
        ]);
      });
    });

    describe('commit', () => {
      test('keeps the bytes exactly as they came, with what was read from them', async () => {
        const [first] = await accept(
          makeAccept({
            content: '{"a": 1 }\u0000\ufeff',
            campaignId: 'c1',
            timestamp: null,
            lead: null,
            charset: 'koi8-r',
          }),
        );
        const event = await store.findEvent(first?.id ?? '');
        expect(Buffer.from(event?.body ?? []).toString()).toBe('{"a": 1 }\u0000\ufeff');
        expect(event).toMatchObject({
          type: 'reply_received',
          lead: null,
          campaignId: 'c1',
          timestamp: null,
          source: 'webhook',
          charset: 'koi8-r',
          bytes: 13,
        });
      });

      test('answers like content with the id of the first, in one batch and in the next', async () => {
        const [a, b] = await accept(makeAccept({ content: 'same' }), makeAccept({ content: 'same' }));
        const [c] = await accept(makeAccept({ content: 'same' }));
        expect([a?.status, b?.status, c?.status]).toEqual(['accepted', 'duplicate', 'duplicate']);
        expect(new Set([a?.id, b?.id, c?.id]).size).toBe(1);
        expect(await store.listEvents({ limit: 10 })).toHaveLength(1);
      });

      test('takes like content as new once its key is over', async () => {
        const receivedAt = 1_000_000;
        const old = { content: 'same', timestamp: null, receivedAt, dedupUntil: receivedAt + 3_600_000 };
        const [a] = await accept(makeAccept(old));
        const [b] = await accept(makeAccept({ ...old, receivedAt: receivedAt + 3_599_999 }));
        const [c] = await accept(
          makeAccept({ ...old, receivedAt: receivedAt + 3_600_000, dedupUntil: receivedAt + 7_200_000 }),
        );
        const [d] = await accept(makeAccept({ ...old, receivedAt: receivedAt + 3_600_001 }));
        expect([a?.status, b?.status, c?.status, d?.status]).toEqual([
          'accepted',
          'duplicate',
          'accepted',
          'duplicate',
        ]);
        expect(d?.id).toBe(c?.id);
      });

      test('accepts one of many like events that two processes commit at once', async () => {
        const other = await under.open();
        const rounds = 50;
        for (let round = 0; round < rounds; round += 1) {
          const content = `race ${round}`;
          const results = await Promise.all(
            [store, other, store, other].map((into) => into.commit(makeBatch({ accepts: [makeAccept({ content })] }))),
          );
          const answers = results.flatMap(({ accepted }) => accepted);
          expect(answers.filter(({ status }) => status === 'accepted')).toHaveLength(1);
          expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
        }
        expect(await store.listEvents({ limit: 1_000 })).toHaveLength(rounds);
      });

      test('makes one delivery for each route, none for a duplicate', async () => {
        const routes = [...ORDERED, { handler: 'log', ordered: false }];
        await accept(makeAccept({ content: 'x', routes }), makeAccept({ content: 'x', routes }));
        expect(await states()).toEqual({ pending: 2, running: 0, done: 0, dead: 0, discarded: 0 });
      });

      test('writes the audit entry of each request with its event, and says how long it took', async () => {
        const [accepted] = await accept(makeAccept({ content: 'x' }), makeAccept({ content: 'x' }));
        const entries = (await auditLog()).filter(({ action }) => action === 'webhook.receive');
        expect(entries.map(({ metadata }) => [metadata['reason'], metadata['eventId']])).toEqual([
          ['accepted', accepted?.id],
          ['duplicate', accepted?.id],
        ]);
        for (const { metadata } of entries) expect(metadata['durationMs']).toBeGreaterThanOrEqual(0);
      });

      test('keeps unreadable bytes once, counts them again, and lets them become an event', async () => {
        const { quarantined } = await store.commit(
          makeBatch({ quarantines: [makeQuarantine('{oops'), makeQuarantine('{oops')] }),
        );
        expect(new Set(quarantined).size).toBe(1);
        const [id] = quarantined;
        expect(await store.listQuarantine({ limit: 10 })).toMatchObject([
          { id, times: 2, state: 'held', bytes: 5, eventId: null },
        ]);
        expect((await store.counts()).quarantined).toBe(1);
        expect(Buffer.from((await store.findQuarantined(id ?? ''))?.body ?? []).toString()).toBe('{oops');
        const [event] = await accept(makeAccept({ quarantineId: id ?? '' }));
        expect(await store.findQuarantined(id ?? '')).toMatchObject({ state: 'retried', eventId: event?.id });
        expect(await store.listQuarantine({ limit: 10, state: 'held' })).toEqual([]);
      });

      test('holds the same bytes again after they were retried: they may be of another event', async () => {
        const { quarantined } = await store.commit(makeBatch({ quarantines: [makeQuarantine('{cut')] }));
        const id = quarantined[0] ?? '';
        await accept(makeAccept({ quarantineId: id }));
        await store.commit(makeBatch({ quarantines: [makeQuarantine('{cut')] }));
        expect(await store.findQuarantined(id)).toMatchObject({ state: 'held', times: 2, eventId: null });
        expect((await store.counts()).quarantined).toBe(1);
      });

      test('takes whatever stands in a payload: NUL, half characters, names of any length', async () => {
        const lead = `${'x'.repeat(20_000)}\0\ud800@odd.example`;
        const content = 'odd\0';
        const [event, again] = await accept(
          makeAccept({ content, lead, type: 'a\0b\udc00', campaignId: '\0', routes: ORDERED }),
          makeAccept({ content, lead }),
        );
        expect([event?.status, again?.status]).toEqual(['accepted', 'duplicate']);
        expect(text((await claim())[0])).toBe(content);
        expect(await store.listEvents({ limit: 5, lead, type: 'a\0b\udc00' })).toHaveLength(1);
      });

      test('takes a batch that was sent before for the one it is', async () => {
        const batch = makeBatch({
          accepts: [makeAccept({ content: 'one', routes: ORDERED }), makeAccept({ content: 'two', routes: ORDERED })],
        });
        const first = await store.commit(batch);
        const second = await store.commit(batch);
        expect(second.accepted.map(({ id }) => id)).toEqual(first.accepted.map(({ id }) => id));
        expect(await states()).toMatchObject({ pending: 2 });
        expect(await store.listEvents({ limit: 5 })).toHaveLength(2);
      });

      test('finds nothing under an id that is not there', async () => {
        expect(await store.findEvent('nowhere')).toBeUndefined();
        expect(await store.findQuarantined('nowhere')).toBeUndefined();
      });
    });

    describe('claim', () => {
      test('hands a delivery to one claim only, with its attempt and bytes', async () => {
        const [event] = await accept(makeAccept({ content: 'payload', routes: ORDERED, charset: 'koi8-r' }));
        const [first, ...rest] = await claim();
        expect(rest).toEqual([]);
        expect(first).toMatchObject({
          handler: 'crm',
          eventId: event?.id,
          attempt: 1,
          outOfOrder: false,
          replay: false,
          charset: 'koi8-r',
        });
        expect(text(first)).toBe('payload');
        expect(await claim()).toEqual([]);
        expect(await states()).toMatchObject({ pending: 0, running: 1 });
      });

      test('gives each handler its own number of places', async () => {
        const routes = [
          { handler: 'a', ordered: false },
          { handler: 'b', ordered: false },
        ];
        await accept(makeAccept({ routes }), makeAccept({ routes }), makeAccept({ routes }));
        const now = Date.now();
        const places = [
          { handler: 'a', limit: 2 },
          { handler: 'b', limit: 1 },
        ];
        const { deliveries, nextDueAt } = await store.claim({ now, places, lease: 'l', leaseUntil: now + 1_000 });
        expect(deliveries.map(({ handler }) => handler).sort()).toEqual(['a', 'a', 'b']);
        expect(nextDueAt).toBeLessThanOrEqual(now);
      });

      test('says when the next one falls due', async () => {
        await accept(makeAccept({ routes: ORDERED }));
        const [delivery] = await claim();
        if (delivery === undefined) throw new Error('nothing was claimed');
        const now = Date.now();
        await finish(
          makeOutcome(delivery, { state: 'pending', error: 'no', retryAt: now + 5_000, holdMs: 60_000 }, now),
        );
        const later = await store.claim({ now, places: [{ handler: 'crm', limit: 1 }], lease: 'l', leaseUntil: now });
        expect(later).toEqual({ deliveries: [], nextDueAt: now + 5_000 });
        expect(await claim({ now: now + 5_000 })).toMatchObject([{ attempt: 2 }]);
      });

      test('ignores an outcome under a lease that is lost, and audits it', async () => {
        await accept(makeAccept({ routes: ORDERED }));
        const [delivery] = await claim();
        if (delivery === undefined) throw new Error('nothing was claimed');
        await finish(makeOutcome({ ...delivery, lease: 'another' }, { state: 'done' }));
        expect(await states()).toMatchObject({ running: 1, done: 0 });
        expect((await auditLog()).filter(({ action }) => action === 'handler.run')).toHaveLength(1);
        await finish(makeOutcome(delivery, { state: 'done' }));
        await finish(makeOutcome(delivery, { state: 'dead', error: 'late' }));
        expect(await states()).toEqual({ pending: 0, running: 0, done: 1, dead: 0, discarded: 0 });
      });

      test('does not count an attempt that was given back', async () => {
        await accept(makeAccept({ routes: ORDERED }));
        const [delivery] = await claim();
        if (delivery === undefined) throw new Error('nothing was claimed');
        await finish(makeOutcome(delivery, { state: 'released' }));
        expect(await claim()).toMatchObject([{ attempt: 1 }]);
      });

      test('takes back the lease of a process that is gone, counted, and ends dead at the last attempt', async () => {
        await accept(makeAccept({ routes: ORDERED }));
        await claim();
        await store.close();
        store = await under.open();
        expect(await store.recoverLeases(Date.now(), 2)).toBe(1);
        expect(await claim()).toMatchObject([{ attempt: 2 }]);
        expect(await store.recoverLeases(Date.now(), 2)).toBe(0);
        expect(await store.recoverLeases(Date.now() + 120_000, 2)).toBe(1);
        expect(await states()).toEqual({ pending: 0, running: 0, done: 0, dead: 1, discarded: 0 });
      });
    });

    describe('order for one lead', () => {
      const at = 1_800_000_000_000;
      const contents = async (now: number) =>
        (await claim({ now })).map((delivery) => ({ ...delivery, content: text(delivery) }));

      async function acceptAll(...names: string[]) {
        await accept(...names.map((content) => makeAccept({ content, routes: ORDERED, lead: 'a@b.example' })));
      }

      test('one after the other, while other leads go on', async () => {
        await acceptAll('1', '2', '3');
        await accept(makeAccept({ content: 'else', routes: ORDERED, lead: 'c@d.example' }));
        const now = Date.now();
        const [one, other] = await contents(now);
        expect([one?.content, other?.content]).toEqual(['1', 'else']);
        expect(await contents(now)).toEqual([]);
        await finish(makeOutcome(one as ClaimedDelivery, { state: 'done' }));
        const [two, ...none] = await contents(Date.now());
        expect([two?.content, two?.outOfOrder, none]).toEqual(['2', false, []]);
        await finish(makeOutcome(two as ClaimedDelivery, { state: 'dead', error: 'no' }));
        expect((await contents(Date.now())).map(({ content }) => content)).toEqual(['3']);
      });

      test('a failing one holds its successors while its hold lasts, and not a millisecond longer', async () => {
        await acceptAll('1', '2', '3');
        const [one] = await contents(Date.now());
        await finish(
          makeOutcome(
            one as ClaimedDelivery,
            { state: 'pending', error: 'no', retryAt: at + 500_000, holdMs: 60_000 },
            at,
          ),
        );
        expect(await contents(at + 59_999)).toEqual([]);
        const [two] = await contents(at + 60_000);
        expect([two?.content, two?.outOfOrder]).toEqual(['2', true]);
        expect(await contents(at + 60_000)).toEqual([]);
        await finish(makeOutcome(two as ClaimedDelivery, { state: 'done' }, at + 60_001));
        const [three] = await contents(at + 60_001);
        expect([three?.content, three?.outOfOrder]).toEqual(['3', true]);
        expect((await contents(at + 500_000)).map(({ content, attempt }) => [content, attempt])).toEqual([['1', 2]]);
      });

      test('a retry that succeeds in time lets the next one run at once and in order', async () => {
        await acceptAll('1', '2');
        const [one] = await contents(Date.now());
        await finish(
          makeOutcome(
            one as ClaimedDelivery,
            { state: 'pending', error: 'no', retryAt: at + 1_000, holdMs: 60_000 },
            at,
          ),
        );
        const [again] = await contents(at + 1_000);
        expect([again?.content, again?.attempt]).toEqual(['1', 2]);
        await finish(makeOutcome(again as ClaimedDelivery, { state: 'done' }, at + 1_001));
        const [two] = await contents(at + 1_001);
        expect([two?.content, two?.outOfOrder]).toEqual(['2', false]);
      });

      test('a hold begins with the first failure, not with each', async () => {
        await acceptAll('1', '2');
        const [one] = await contents(Date.now());
        await finish(
          makeOutcome(
            one as ClaimedDelivery,
            { state: 'pending', error: 'no', retryAt: at + 50_000, holdMs: 60_000 },
            at,
          ),
        );
        const [again] = await contents(at + 50_000);
        await finish(
          makeOutcome(
            again as ClaimedDelivery,
            { state: 'pending', error: 'no', retryAt: at + 100_000, holdMs: 60_000 },
            at + 50_001,
          ),
        );
        expect(await contents(at + 59_999)).toEqual([]);
        expect((await contents(at + 60_000)).map(({ content }) => content)).toEqual(['2']);
      });

      test('what arrives after the hold is over runs at once', async () => {
        await acceptAll('1');
        const [one] = await contents(Date.now());
        await finish(
          makeOutcome(
            one as ClaimedDelivery,
            { state: 'pending', error: 'no', retryAt: Date.now() + 500_000, holdMs: 0 },
            Date.now(),
          ),
        );
        await acceptAll('2');
        const [two] = await contents(Date.now() + 5);
        expect([two?.content, two?.outOfOrder]).toEqual(['2', true]);
      });

      test('a released one is the first again', async () => {
        await acceptAll('1', '2');
        const [one] = await contents(Date.now());
        await finish(makeOutcome(one as ClaimedDelivery, { state: 'released' }));
        expect((await contents(Date.now())).map(({ content }) => content)).toEqual(['1']);
      });

      test('handlers without order, events without a lead and replays wait for nobody', async () => {
        const free: DeliveryRoute[] = [{ handler: 'crm', ordered: false }];
        await accept(makeAccept({ content: 'a', routes: free }), makeAccept({ content: 'b', routes: free }));
        await accept(
          makeAccept({ content: 'c', routes: ORDERED, lead: null }),
          makeAccept({ content: 'd', routes: ORDERED, lead: null }),
        );
        expect((await contents(Date.now())).map(({ content }) => content).sort()).toEqual(['a', 'b', 'c', 'd']);
      });
    });

    describe('replay', () => {
      const request = (only: 'dead' | 'finished', filter = {}) => ({
        filter: { limit: 100, ...filter },
        only,
        now: Date.now(),
        audit: makeDraft('event.replay'),
      });

      async function finishedOnes() {
        await register('crm');
        await accept(
          makeAccept({ content: 'good', routes: ORDERED, lead: 'a@b.example' }),
          makeAccept({ content: 'bad', routes: ORDERED, lead: 'c@d.example' }),
        );
        const claimed = await claim();
        await finish(
          ...claimed.map((delivery) =>
            makeOutcome(delivery, text(delivery) === 'bad' ? { state: 'dead', error: 'it broke' } : { state: 'done' }),
          ),
        );
      }

      test('runs dead ones again, marked, from attempt 1', async () => {
        await finishedOnes();
        expect(await store.listDead({ limit: 5 })).toMatchObject([
          { handler: 'crm', attempts: 1, lastError: 'it broke', state: 'dead' },
        ]);
        expect(await store.replay(request('dead'))).toEqual({ events: 1, deliveries: 1, orphaned: 0 });
        expect(await states()).toEqual({ pending: 1, running: 0, done: 1, dead: 0, discarded: 0 });
        const [again] = await claim();
        expect([text(again), again?.attempt, again?.replay]).toEqual(['bad', 1, true]);
      });

      test('runs finished ones again, and reaches handlers that were registered since', async () => {
        await finishedOnes();
        await store.registerHandlers([
          { handler: 'crm', ordered: true, events: ['reply_received'] },
          { handler: 'new', ordered: true, events: ['*'] },
          { handler: 'other', ordered: true, events: ['email_sent'] },
        ]);
        expect(await store.registeredHandlers()).toHaveLength(3);
        expect(await store.replay(request('finished'))).toEqual({ events: 2, deliveries: 4, orphaned: 0 });
        expect(await store.replay(request('finished'))).toEqual({ events: 0, deliveries: 0, orphaned: 0 });
        expect(await states()).toEqual({ pending: 4, running: 0, done: 0, dead: 0, discarded: 0 });
      });

      test('leaves what runs alone, and writes what it did into the audit', async () => {
        await accept(makeAccept({ routes: ORDERED }));
        await claim();
        expect(await store.replay(request('finished'))).toEqual({ events: 0, deliveries: 0, orphaned: 0 });
        const entry = (await auditLog()).find(({ action }) => action === 'event.replay');
        expect(entry?.metadata).toMatchObject({ events: 0, deliveries: 0 });
      });

      test('the events of a lead however far they lie apart, the newest first', async () => {
        const contents = Array.from({ length: 2_500 }, (_, n) => String(n));
        for (let n = 0; n < contents.length; n += 500)
          await accept(
            ...contents
              .slice(n, n + 500)
              .map((content) =>
                makeAccept({ content, lead: Number(content) % 600 === 0 ? 'a@b.example' : 'c@d.example' }),
              ),
          );
        const bodies = async (limit: number): Promise<string[]> => {
          const found = await store.listEvents({ limit, lead: 'a@b.example' });
          const events = await Promise.all(found.map(({ id }) => store.findEvent(id)));
          return events.map((event) => Buffer.from(event?.body ?? []).toString());
        };
        expect(await bodies(10)).toEqual(['2400', '1800', '1200', '600', '0']);
        expect(await bodies(2)).toEqual(['2400', '1800']);
      });

      test.each([
        ['type', { type: 'email_sent' }, ['b']],
        ['lead', { lead: 'a@b.example' }, ['a']],
        ['campaign', { campaign: 'c2' }, ['b']],
        ['since', { since: 2_000 }, ['b']],
        ['until', { until: 2_000 }, ['a']],
        ['state', { state: 'pending' as const }, ['a']],
        ['limit', { limit: 1 }, ['b']],
      ])('filters by %s', async (_name, filter, expected) => {
        await accept(
          makeAccept({ content: 'a', lead: 'a@b.example', receivedAt: 1_000, campaignId: 'c1', routes: ORDERED }),
          makeAccept({ content: 'b', type: 'email_sent', lead: 'c@d.example', receivedAt: 2_000, campaignId: 'c2' }),
        );
        const found = await store.listEvents({ limit: 10, ...filter });
        const bodies = await Promise.all(
          found.map(async ({ id }) => Buffer.from((await store.findEvent(id))?.body ?? []).toString()),
        );
        expect(bodies).toEqual(expected);
        const byId = await store.listEvents({ limit: 10, ids: found.map(({ id }) => id) });
        expect(byId).toEqual(found);
      });
    });

    describe('audit', () => {
      test('holds over several processes, and each new chain names the heads before it', async () => {
        await accept(makeAccept());
        const other = await under.open();
        await other.commit(makeBatch({ audits: [makeDraft(), makeDraft()] }));
        await accept(makeAccept());
        expect(await verify()).toMatchObject({ ok: true, entries: 6, chains: 2 });
        const starts = (await auditLog()).filter(({ action }) => action === 'audit.chain.start');
        expect(starts.map(({ metadata }) => (metadata['follows'] as unknown[]).length).sort()).toEqual([0, 1]);
        expect(await store.auditHeads()).toHaveLength(2);
      });

      test.each(['metadata', 'delete-entry', 'reorder', 'hide'] as const)(
        'shows that somebody changed it: %s',
        async (change) => {
          await accept(makeAccept(), makeAccept());
          await under.tamper(change);
          expect(await verify()).toMatchObject({ ok: false });
        },
      );

      test('shows the newest in order of commit, and what came after', async () => {
        await store.commit(makeBatch({ audits: [makeDraft('a.a'), makeDraft('b.b'), makeDraft('c.c')] }));
        const { entries, cursor } = await store.tailAudit(2);
        expect(entries.map(({ action }) => action)).toEqual(['b.b', 'c.c']);
        await store.commit(makeBatch({ audits: [makeDraft('d.d')] }));
        expect((await store.tailAudit(10, cursor)).entries.map(({ action }) => action)).toEqual(['d.d']);
      });

      test('a snapshot shows one state, whatever is written meanwhile', async () => {
        await accept(makeAccept());
        const snapshot = await store.openAuditSnapshot();
        const before = await snapshot.read(undefined, 100);
        await accept(makeAccept());
        expect(await snapshot.read(undefined, 100)).toEqual(before);
        await snapshot.close();
      });
    });

    describe('deliveries of a handler that is gone', () => {
      const gone = [{ handler: 'gone', ordered: true }];
      const replay = (filter = {}) => ({
        filter: { limit: 100, ...filter },
        only: 'finished' as const,
        now: Date.now(),
        audit: makeDraft('event.replay'),
      });
      const discard = (more: { handler?: string; filter?: object } = {}) =>
        store.discard({
          now: Date.now(),
          audit: makeDraft('dead.discard'),
          ...more,
          filter: { limit: 100, ...more.filter },
        });

      /** One dead, one due, one held behind it, of a handler that then goes; and one of a handler that stays. */
      async function leaveBehind() {
        await register('crm', 'gone');
        await accept(makeAccept({ content: 'dead', routes: gone, lead: 'a@b.example' }));
        const [delivery] = await claim({ handler: 'gone' });
        await finish(makeOutcome(delivery as ClaimedDelivery, { state: 'dead', error: 'it broke' }));
        await accept(makeAccept({ content: 'due', routes: gone, lead: 'c@d.example', receivedAt: 1_000 }));
        await accept(makeAccept({ content: 'held', routes: gone, lead: 'c@d.example' }));
        await accept(makeAccept({ content: 'own', routes: ORDERED, lead: 'c@d.example' }));
        expect(await store.orphans()).toMatchObject({ handlers: [] });
        await register('crm');
      }

      test('are counted by handler, listed, and left alone by a replay, which says so', async () => {
        await leaveBehind();
        const { handlers, oldestPendingAt } = await store.orphans();
        expect(handlers).toEqual([{ handler: 'gone', pending: 2, dead: 1 }]);
        const own = (await store.listEvents({ limit: 1 }))[0];
        const [run] = (await store.findEvent(own?.id ?? ''))?.runs ?? [];
        expect([oldestPendingAt, run?.orphaned]).toEqual([run?.updatedAt, false]);
        expect(await store.listDead({ limit: 10 })).toMatchObject([
          { handler: 'gone', state: 'pending', orphaned: true, lead: 'c@d.example' },
          { handler: 'gone', state: 'pending', orphaned: true, lead: 'c@d.example' },
          { handler: 'gone', state: 'dead', orphaned: true, lead: 'a@b.example' },
        ]);
        expect(await store.listDead({ limit: 1 })).toMatchObject([{ state: 'pending' }]);
        expect(await store.listDead({ limit: 10, handler: 'crm' })).toEqual([]);
        expect(await store.replay(replay())).toEqual({ events: 0, deliveries: 0, orphaned: 3 });
        expect(await store.replay({ ...replay(), only: 'dead' })).toEqual({ events: 0, deliveries: 0, orphaned: 1 });
        expect(await states()).toEqual({ pending: 3, running: 0, done: 0, dead: 1, discarded: 0 });
      });

      test('are taken up again where it comes back', async () => {
        await leaveBehind();
        await register('crm', 'gone');
        expect(await store.orphans()).toMatchObject({ handlers: [] });
        const [delivery] = await claim({ handler: 'gone' });
        expect(text(delivery)).toBe('due');
        await finish(makeOutcome(delivery as ClaimedDelivery, { state: 'done' }));
        expect((await claim({ handler: 'gone' })).map(text)).toEqual(['held']);
      });

      test('are ended by discard, with dead ones of others, and audited; what it spares goes on', async () => {
        await leaveBehind();
        const due = (await store.listEvents({ limit: 4 })).at(-2);
        expect(await discard({ handler: 'other' })).toEqual({ events: 0, deliveries: 0 });
        expect(await discard({ filter: { ids: [due?.id ?? ''] } })).toEqual({ events: 1, deliveries: 1 });
        expect(await states()).toEqual({ pending: 2, running: 0, done: 0, dead: 1, discarded: 1 });
        expect((await store.findEvent(due?.id ?? ''))?.deliveries.discarded).toBe(1);
        expect(await store.listEvents({ limit: 9, state: 'discarded' })).toHaveLength(1);
        await register('crm', 'gone');
        expect((await claim({ handler: 'gone' })).map(text)).toEqual(['held']);
        const [own] = await claim();
        await finish(makeOutcome(own as ClaimedDelivery, { state: 'dead', error: 'x' }));
        expect(await discard()).toEqual({ events: 2, deliveries: 2 });
        expect(await states()).toEqual({ pending: 0, running: 1, done: 0, dead: 0, discarded: 3 });
        const entries = (await auditLog()).filter(({ action }) => action === 'dead.discard');
        expect(entries.map(({ metadata }) => metadata['deliveries'])).toEqual([0, 1, 2]);
        expect(await store.replay(replay({ ids: [due?.id ?? ''] }))).toMatchObject({ deliveries: 1 });
      });

      test('and those that were discarded keep no event from being pruned', async () => {
        await leaveBehind();
        const held = (await store.listEvents({ limit: 4 })).at(1);
        await discard({ filter: { ids: [held?.id ?? ''] } });
        const now = Date.now() + 1_000;
        const step = await store.prune({ now, eventsBefore: now, auditBefore: 0, limit: 10 });
        expect(step.events).toBe(3);
        expect(await states()).toEqual({ pending: 1, running: 0, done: 0, dead: 0, discarded: 0 });
      });
    });

    describe('prune', () => {
      const DAY = 86_400_000;

      async function pruneAll(request: { now: number; eventsBefore: number; auditBefore: number; limit?: number }) {
        const sum = { events: 0, audits: 0, steps: 0 };
        let step = await store.prune({ limit: 3, ...request });
        for (;;) {
          sum.events += step.events;
          sum.audits += step.audits;
          sum.steps += 1;
          if (!step.more) return sum;
          step = await store.prune({ limit: 3, ...request, cursor: step.cursor });
        }
      }

      test('removes finished old events with their keys, and keeps what is unfinished, dead or young', async () => {
        const now = Date.now();
        const old = { receivedAt: now - 31 * DAY, dedupUntil: now + DAY };
        await register('crm', 'none');
        await accept(...[1, 2, 3, 4, 5].map((n) => makeAccept({ ...old, content: `plain ${n}` })));
        await accept(makeAccept({ ...old, content: 'done', routes: ORDERED, lead: 'a@b.example' }));
        await accept(makeAccept({ ...old, content: 'dead', routes: ORDERED, lead: 'c@d.example' }));
        await accept(makeAccept({ ...old, content: 'waiting', routes: [{ handler: 'none', ordered: true }] }));
        await accept(makeAccept({ content: 'young' }));
        const claimed = await claim();
        await finish(
          ...claimed.map((one) =>
            makeOutcome(one, text(one) === 'dead' ? { state: 'dead', error: 'x' } : { state: 'done' }),
          ),
        );
        const sum = await pruneAll({ now, eventsBefore: now - 30 * DAY, auditBefore: 0 });
        expect(sum).toMatchObject({ events: 6, audits: 0 });
        expect(sum.steps).toBeGreaterThan(2);
        expect(await store.listEvents({ limit: 10 })).toHaveLength(3);
        expect(await states()).toEqual({ pending: 1, running: 0, done: 0, dead: 1, discarded: 0 });
        const [again] = await accept(makeAccept({ content: 'plain 1' }));
        expect(again?.status).toBe('accepted');
      });

      test('cuts the start of every chain so that the rest still holds, again and again', async () => {
        const times: number[] = [];
        for (let n = 0; n < 5; n += 1) {
          const process = await under.open();
          await process.commit(makeBatch({ audits: [makeDraft(), makeDraft()] }));
          await store.commit(makeBatch({ audits: [makeDraft('own.act')] }));
          await process.close();
          times.push(await timeBetween());
        }
        expect(await verify()).toMatchObject({ ok: true, chains: 6, entries: 5 * 4 + 1 });
        for (const [index, auditBefore] of times.entries()) {
          const { audits } = await pruneAll({ now: Date.now(), eventsBefore: 0, auditBefore });
          expect([index, audits]).toEqual([index, index === 0 ? 5 : 4]);
          expect(await verify()).toMatchObject({ ok: true });
        }
        expect(new Set((await auditLog()).map(({ action }) => action))).toEqual(new Set(['audit.prune']));
        const after = await under.open();
        await after.commit(makeBatch({ audits: [makeDraft()] }));
        expect(await verify()).toMatchObject({ ok: true, chains: 2 });
      });

      test('leaves entries that are not as they were sealed, rather than sign for their removal', async () => {
        const now = Date.now();
        await store.commit(
          makeBatch({ audits: [makeDraft('a.a', now - 500 * DAY), makeDraft('b.b', now - 500 * DAY)] }),
        );
        await under.tamper('metadata');
        const before = (await auditLog()).length;
        await pruneAll({ now, eventsBefore: 0, auditBefore: now + DAY, limit: 100 });
        expect(await auditLog()).toHaveLength(before);
      });
    });

    test('remembers when each secret was first seen', async () => {
      expect(await store.firstSeen(['a'], 5)).toEqual(new Map([['a', 5]]));
      expect(await store.firstSeen(['a', 'b'], 9)).toEqual(
        new Map([
          ['a', 5],
          ['b', 9],
        ]),
      );
    });

    test('whoever only looks when a secret was first seen leaves one that is unknown unknown', async () => {
      await store.firstSeen(['a'], 5);
      expect(await store.findFirstSeen(['b', 'a'])).toEqual(new Map([['a', 5]]));
      expect(await store.findFirstSeen([])).toEqual(new Map());
      expect(await store.firstSeen(['b'], 9)).toEqual(new Map([['b', 9]]));
    });

    describe('leases of periodic jobs', () => {
      test('are held by one owner at a time, and for longer by the same', async () => {
        const other = await under.open();
        const asked = await Promise.all([
          store.holdLease('prune', 'a', 60_000),
          other.holdLease('prune', 'b', 60_000),
          store.holdLease('prune', 'c', 60_000),
        ]);
        expect(asked.filter(Boolean)).toHaveLength(1);
        const holder = ['a', 'b', 'c'][asked.indexOf(true)] ?? '';
        expect(await other.holdLease('prune', holder, 60_000)).toBe(true);
        expect(await store.holdLease('other job', 'd', 60_000)).toBe(true);
        await store.releaseLease('prune', 'nobody');
        expect(await store.holdLease('prune', 'e', 60_000)).toBe(false);
        await other.releaseLease('prune', holder);
        expect(await store.holdLease('prune', 'e', 60_000)).toBe(true);
      });

      test('end by themselves', async () => {
        await store.holdLease('prune', 'gone', 1);
        await timeBetween();
        expect(await store.holdLease('prune', 'next', 60_000)).toBe(true);
      });
    });

    describe('documents', () => testDocuments({ store: () => store, open: () => under.open() }));

    describe('keys of events', () => testKeys({ store: () => store, open: () => under.open() }));

    test('says when another process has changed something', async () => {
      const changed = new Promise<void>((resolve) => store.onForeignChange(resolve));
      const other = await under.open();
      await other.commit(makeBatch({ accepts: [makeAccept({ routes: ORDERED })] }));
      await changed;
      expect(await claim()).toHaveLength(1);
    });

    test('refuses when it is closed, and closes twice', async () => {
      await store.check();
      await store.close();
      await store.close();
      await expect(store.check()).rejects.toMatchObject({ name: 'StoreUnavailable' });
    });
  });
}
