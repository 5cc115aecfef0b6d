import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { AuditDraft } from '../../src/audit/entry.ts';
import { RowRefused } from '../../src/errors/problem.ts';
import { GroupCommit, type GroupCommitOptions } from '../../src/inbox/group-commit.ts';
import type { Batch, CommitResult } from '../../src/inbox/store.ts';
import { makeAccept, makeDraft, makeOutcome, makeQuarantine } from '../contract/make-parts.ts';
import { createTestStore, type TestStore } from './inbox-support.ts';

let under: TestStore;
let commits: GroupCommit;
let sizes: number[];
let failures: unknown[];
let audits: AuditDraft[];
let lost: AuditDraft[];

function create(options: Partial<GroupCommitOptions> = {}): GroupCommit {
  return new GroupCommit({
    store: under.store,
    maxQueued: 100,
    maxBatch: 50,
    takeAudits: () => audits.splice(0),
    lostAudits: (drafts) => lost.push(...drafts),
    onCommit: ({ size }) => sizes.push(size),
    onFailure: (error) => failures.push(error),
    ...options,
  });
}

beforeEach(async () => {
  [sizes, failures, audits, lost] = [[], [], [], []];
  under = await createTestStore();
  commits = create();
});
afterEach(() => under.remove());

const actions = async () => (await under.store.tailAudit(100)).entries.map(({ action }) => action);

describe('group commit', () => {
  test('what arrives together shares one transaction, and what arrives meanwhile the next', async () => {
    const first = [makeAccept(), makeAccept(), makeAccept()].map((accept) => commits.accept(accept));
    const second = first[0]?.then(() => Promise.all([commits.accept(makeAccept()), commits.accept(makeAccept())]));
    await Promise.all([...first, second]);
    expect(sizes).toEqual([3, 2]);
  });

  test('answers each with its own result, whatever kinds stand between', async () => {
    const same = 'one content';
    const results = await Promise.all([
      commits.accept(makeAccept({ content: same, routes: [{ handler: 'crm', ordered: true }] })),
      commits.quarantine(makeQuarantine('{')),
      commits.accept(makeAccept({ content: same })),
      commits.quarantine(makeQuarantine('[')),
    ]);
    const [a, q, b, r] = results;
    expect([a, b]).toMatchObject([{ status: 'accepted' }, { status: 'duplicate', id: a.id }]);
    expect(await under.store.findQuarantined(q)).toMatchObject({ bytes: 1 });
    expect(q).not.toBe(r);
    const claimed = await under.store.claim({
      now: Date.now(),
      places: [{ handler: 'crm', limit: 1 }],
      lease: 'l',
      leaseUntil: Date.now(),
    });
    for (const delivery of claimed.deliveries) await commits.outcome(makeOutcome(delivery, { state: 'done' }));
    expect((await under.store.counts()).deliveries).toMatchObject({ done: 1, running: 0 });
  });

  test('splits what is more than one transaction bears', async () => {
    commits = create({ maxBatch: 2 });
    await Promise.all(Array.from({ length: 5 }, () => commits.accept(makeAccept())));
    expect(sizes).toEqual([2, 2, 1]);
  });

  test('refuses at once what finds the queue full, save outcomes', async () => {
    commits = create({ maxQueued: 1 });
    const kept = commits.accept(makeAccept());
    expect(commits.queued).toBe(1);
    await expect(commits.accept(makeAccept())).rejects.toMatchObject({
      code: 'overloaded',
      reason: 'commit-queue-full',
      status: 503,
    });
    await expect(commits.quarantine(makeQuarantine('x'))).rejects.toMatchObject({ retryAfter: 2 });
    await commits.outcome({ deliveryId: 1, lease: 'l', at: 1, next: { state: 'done' }, audit: makeDraft() });
    expect(await kept).toMatchObject({ status: 'accepted' });
  });

  test('a failed commit fails its own batch alone, and the next succeeds', async () => {
    under.lock();
    audits.push(makeDraft('lost.one'));
    const refused = await Promise.allSettled([commits.accept(makeAccept()), commits.quarantine(makeQuarantine('x'))]);
    under.unlock();
    for (const result of refused) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { code: 'store-unavailable', status: 503, retryAfter: 2 },
      });
    }
    expect(lost.map(({ action }) => action)).toEqual(['lost.one']);
    expect(failures).toHaveLength(1);
    expect(await commits.accept(makeAccept())).toMatchObject({ status: 'accepted' });
    expect(await under.store.listEvents({ limit: 10 })).toHaveLength(1);
  });

  test('writes audit entries that nobody waits for, when asked and with others', async () => {
    audits.push(makeDraft('alone.one'));
    commits.nudge();
    commits.nudge();
    await commits.settle();
    audits.push(makeDraft('with.event'));
    await commits.accept(makeAccept());
    expect(await actions()).toEqual(['audit.chain.start', 'alone.one', 'webhook.receive', 'with.event']);
  });

  test('settles once everything queued has been tried', async () => {
    const answered: string[] = [];
    for (let n = 0; n < 3; n += 1) void commits.accept(makeAccept()).then(({ status }) => answered.push(status));
    await commits.settle();
    await commits.settle();
    expect(answered).toEqual(['accepted', 'accepted', 'accepted']);
  });

  test('works without observers', async () => {
    const { onCommit: _, onFailure: __, ...bare } = { onCommit: undefined, onFailure: undefined };
    commits = new GroupCommit({
      store: under.store,
      maxQueued: 1,
      maxBatch: 1,
      takeAudits: () => [],
      lostAudits: () => undefined,
      ...bare,
    });
    expect(await commits.accept(makeAccept())).toMatchObject({ status: 'accepted' });
    under.lock();
    await expect(commits.accept(makeAccept())).rejects.toMatchObject({ code: 'store-unavailable' });
    under.unlock();
  });

  test('does not answer 200 for what a store that breaks its contract has left out', async () => {
    const head = { writer: 'w', seq: 1, hash: '' };
    commits = create({ store: { commit: async () => ({ accepted: [], quarantined: [], pending: 0, head }) } });
    await expect(commits.accept(makeAccept())).rejects.toMatchObject({ code: 'store-unavailable' });
  });

  describe('with several transactions at once', () => {
    let started: { batch: Batch; end: () => void }[];

    beforeEach(() => {
      started = [];
      const commit = (batch: Batch) =>
        new Promise<CommitResult>((resolve) => {
          const accepted = batch.accepts.map(({ event }) => ({ status: 'accepted' as const, id: event.id }));
          const result = { accepted, quarantined: [], pending: 0, head: { writer: 'w', seq: 1, hash: '' } };
          started.push({ batch, end: () => resolve(result) });
        });
      commits = create({ store: { commit }, maxInFlight: 2, maxBatch: 2 });
    });

    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const leads = () => started.map(({ batch }) => batch.accepts.map(({ event }) => event.lead));
    const accept = (lead: string | null, content?: string) =>
      commits.accept(makeAccept({ lead, ...(content === undefined ? {} : { content }) }));

    test('starts no more than it may, and the next when one has ended', async () => {
      const answers = ['a', 'b', 'c', 'd', 'e', null].map((lead) => accept(lead));
      await turn();
      expect(leads()).toEqual([
        ['a', 'b'],
        ['c', 'd'],
      ]);
      started[1]?.end();
      await answers[3];
      await turn();
      await turn();
      expect(leads()[2]).toEqual(['e', null]);
      for (const { end } of started) end();
      await Promise.all(answers);
    });

    test('lets no event overtake an earlier one of its lead, and others pass', async () => {
      const answers = ['a', 'a', 'a', 'b'].map((lead) => accept(lead));
      await turn();
      expect(leads()).toEqual([['a', 'a'], ['b']]);
      started[1]?.end();
      await answers[3];
      await turn();
      await turn();
      expect(started).toHaveLength(2);
      started[0]?.end();
      await answers[0];
      await turn();
      await turn();
      expect(leads()[2]).toEqual(['a']);
      started[2]?.end();
      await commits.settle();
    });

    test('puts no more bytes into one than it bears', async () => {
      const large = 'x'.repeat(16 * 1024 * 1024);
      const answers = [accept(null, large), accept(null)];
      answers.push(commits.quarantine(makeQuarantine('{')).then((id) => ({ status: 'accepted' as const, id })));
      await turn();
      expect(started.map(({ batch }) => batch.accepts.length + batch.quarantines.length)).toEqual([1, 2]);
      for (const { end } of started) end();
      await Promise.allSettled(answers);
    });
  });

  test('sends outcomes back alone where only their store is away', async () => {
    const head = { writer: 'w', seq: 1, hash: '' };
    const id = 'an id';
    commits = create({
      store: {
        commit: async () => ({
          accepted: [{ status: 'accepted', id }],
          quarantined: [],
          pending: 0,
          outcomesLeft: true,
          head,
        }),
      },
    });
    const [accepted, outcome] = await Promise.allSettled([
      commits.accept(makeAccept()),
      commits.outcome({ deliveryId: 1, lease: 'l', at: 1, next: { state: 'done' }, audit: makeDraft() }),
    ]);
    expect(accepted).toMatchObject({ status: 'fulfilled', value: { id } });
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'store-unavailable' } });
  });
});

describe('a row that the store refuses', () => {
  /** The real store, save that it refuses a batch with such a row. */
  const refusing = (isRefused: (batch: Batch) => boolean): GroupCommitOptions['store'] => ({
    commit: (batch) =>
      isRefused(batch) ? Promise.reject(new RowRefused('the store refuses a row')) : under.store.commit(batch),
  });
  const isPoison = ({ event }: Batch['accepts'][number]): boolean => event.type === 'poison';

  test('of an event: its bytes are in quarantine, and the rest of the batch is committed', async () => {
    const apart: unknown[] = [];
    audits = [makeDraft('beside')];
    commits = create({
      store: refusing(({ accepts }) => accepts.some(isPoison)),
      onSetApart: (row) => apart.push(row),
    });
    const poison = makeAccept({ type: 'poison', content: '{"a":1}', charset: 'koi8-r' });
    const again = makeAccept({ type: 'poison', content: '{"a":1}' });
    const all = [makeAccept(), poison, makeAccept(), again, makeAccept()];
    const results = await Promise.all(all.map((accept) => commits.accept(accept)));
    expect(results.map(({ status }) => status)).toEqual(['accepted', 'accepted', 'accepted', 'duplicate', 'accepted']);
    expect(results[3]?.id).toBe(results[1]?.id);
    const kept = await under.store.findQuarantined(poison.event.id);
    expect(kept).toMatchObject({ reason: 'not-storable', contentType: 'application/json; charset=koi8-r' });
    expect(apart).toEqual([poison, again].map(({ event }) => ({ kind: 'event', id: event.id })));
    expect(await actions()).toContain('beside');
    expect([lost, failures]).toEqual([[], []]);
  });

  test('of an event out of the quarantine, and of a quarantined body: nothing could be kept instead', async () => {
    commits = create({
      store: refusing(({ accepts, quarantines }) => accepts.some(isPoison) || quarantines.length > 0),
    });
    const retried = commits.accept(makeAccept({ type: 'poison', quarantineId: 'some-id' }));
    const kept = commits.quarantine(makeQuarantine('{'));
    await expect(retried).rejects.toMatchObject({ code: 'store-unavailable' });
    await expect(kept).rejects.toMatchObject({ code: 'store-unavailable' });
    expect(failures).toHaveLength(2);
  });

  test('of an outcome: it is kept without the text of its error, where there is one', async () => {
    const apart: unknown[] = [];
    const stored: Batch[] = [];
    const hasText = ({ outcomes }: Batch): boolean =>
      outcomes.some(({ next }) => 'error' in next && next.error === 'poison');
    const store: GroupCommitOptions['store'] = {
      commit: (batch) => {
        if (hasText(batch) || batch.outcomes.some(({ next }) => next.state === 'done')) {
          return Promise.reject(new RowRefused('the store refuses a row'));
        }
        stored.push(batch);
        return under.store.commit({ ...batch, outcomes: [] });
      },
    };
    commits = create({ store, onSetApart: (row) => apart.push(row) });
    const failed = commits.outcome(makeOutcome(claimed(7), { state: 'dead', error: 'poison' }));
    const done = commits.outcome(makeOutcome(claimed(8), { state: 'done' }));
    await failed;
    await expect(done).rejects.toMatchObject({ code: 'store-unavailable' });
    expect(apart).toEqual([{ kind: 'outcome', id: '7' }]);
    expect(stored.flatMap(({ outcomes }) => outcomes.map(({ next }) => next))).toEqual([
      { state: 'dead', error: 'the store refused the text of this error' },
    ]);
  });

  test('of an audit entry: it alone is counted as lost', async () => {
    audits = ['first', 'poison', 'last'].map((action) => makeDraft(action));
    commits = create({ store: refusing((batch) => batch.audits.some(({ action }) => action === 'poison')) });
    await commits.accept(makeAccept());
    await commits.settle();
    expect(lost.map(({ action }) => action)).toEqual(['poison']);
    expect(await actions()).toEqual(expect.arrayContaining(['first', 'last']));
  });
});

function claimed(deliveryId: number): Parameters<typeof makeOutcome>[0] {
  return { deliveryId, lease: 'l' } as Parameters<typeof makeOutcome>[0];
}
