import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { AuthenticDelivery } from '../../src/authenticate/index.ts';
import { createAuthenticator, restoreQuarantined } from '../../src/authenticate/index.ts';
import { Secret } from '../../src/config/secret.ts';
import { interpretBody } from '../../src/events/interpret-body.ts';
import { Inbox } from '../../src/inbox/accept.ts';
import { monotonicMilliseconds } from '../../src/inbox/clock.ts';
import { GroupCommit } from '../../src/inbox/group-commit.ts';
import { makeDraft, RETENTION_MS } from '../contract/make-parts.ts';
import { createTestStore, type TestStore } from './inbox-support.ts';

let under: TestStore;
let inbox: Inbox;

beforeEach(async () => {
  under = await createTestStore();
  const commits = new GroupCommit({
    store: under.store,
    maxQueued: 10,
    maxBatch: 10,
    takeAudits: () => [],
    lostAudits: () => undefined,
  });
  const handlers = [
    { handler: 'all', ordered: false, events: ['*'] },
    { handler: 'replies', ordered: true, events: ['reply_received'] },
    { handler: 'sent', ordered: true, events: ['email_sent'] },
  ];
  inbox = new Inbox({ commits, handlers: () => handlers, retentionMs: RETENTION_MS });
});
afterEach(() => under.remove());

const audit = () => ({ draft: makeDraft('webhook.receive'), startedAt: monotonicMilliseconds() });

function prove(text: string): AuthenticDelivery {
  const token = 'a token of some length';
  const authenticator = createAuthenticator({
    signatureKeys: [],
    signatureScheme: 'body',
    signatureHeader: 'x-instantly-signature',
    timestampHeader: 'x-instantly-timestamp',
    toleranceSeconds: 300,
    tokens: [new Secret(token)],
    tokenHeader: 'x-webhook-secret',
    require: 'any',
  });
  const inspection = authenticator.inspectHeaders(['X-Webhook-Secret', token]);
  if (inspection.verdict === 'refused') throw new Error('refused');
  const verified = authenticator.verify(inspection, Buffer.from(text), 'text/plain');
  if (!verified.authentic) throw new Error('not authentic');
  return verified.delivery;
}

function read(text: string) {
  const event = interpretBody(Buffer.from(text), null);
  if (!event.ok) throw new Error('unreadable');
  return event;
}

const REPLY = '{"event_type":"reply_received","lead_email":" Lead@One.example","timestamp":"2026-01-02T03:04:05Z"}';

describe('inbox', () => {
  test('stores a proven event under its facts, routed to the handlers that take it', async () => {
    const { id, status } = await inbox.accept(prove(REPLY), read(REPLY), audit());
    expect(status).toBe('accepted');
    const event = await under.store.findEvent(id);
    expect(event).toMatchObject({
      type: 'reply_received',
      lead: 'lead@one.example',
      principal: 'instantly:token:1',
      source: 'webhook',
    });
    expect(event?.timestamp).toBe(Date.UTC(2026, 0, 2, 3, 4, 5));
    expect(event?.runs.map(({ handler }) => handler)).toEqual(['all', 'replies']);
  });

  test('the same content with other white space and order is a duplicate', async () => {
    const { id } = await inbox.accept(prove(REPLY), read(REPLY), audit());
    const other =
      '{ "timestamp":"2026-01-02T03:04:05Z", "lead_email":" Lead@One.example","event_type":"reply_received"}';
    expect(await inbox.accept(prove(other), read(other), audit())).toEqual({ status: 'duplicate', id });
  });

  test('keeps what a proven sender sent unreadably, and takes it mended', async () => {
    const id = await inbox.quarantine(prove('{"a":'), 'not-json', audit());
    expect(await under.store.findQuarantined(id)).toMatchObject({
      reason: 'not-json',
      contentType: 'text/plain',
      state: 'held',
    });
    const mended = restoreQuarantined({ principal: 'instantly:token:1', body: Buffer.from(REPLY), contentType: null });
    const accepted = await inbox.accept(mended, read(REPLY), audit(), id);
    expect(await under.store.findQuarantined(id)).toMatchObject({ state: 'retried', eventId: accepted.id });
    expect(await under.store.findEvent(accepted.id)).toMatchObject({ source: 'quarantine' });
  });

  test('takes no look-alike, even where a cast has silenced the types', () => {
    const { body, principal, source, contentType } = prove(REPLY);
    const forged = { body, principal, source, contentType } as unknown as AuthenticDelivery;
    expect(() => inbox.accept(forged, read(REPLY), audit())).toThrow(TypeError);
    expect(() => inbox.quarantine(forged, 'not-json', audit())).toThrow(TypeError);
  });
});
