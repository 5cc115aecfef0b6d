import { count } from '../print.ts';
import { type Check, type Finding, ok, warn } from './check.ts';
import { storeOf } from './context.ts';
import { showSpan } from './show-span.ts';

/** Milliseconds after which a delivery that waits is worth a look; one that fails waits for up to six hours each time. */
const LONG_PENDING_MS = 3_600_000;
/** The same for an inbox that nothing comes into. */
const LONG_SILENT_MS = 7 * 86_400_000;

/** What the handlers have before them, and what they gave up. */
export const deliveriesCheck: Check = {
  name: 'deliveries',
  needs: ['DATABASE_URL'],
  run: async (context) => {
    const store = storeOf(context);
    const { handlers, oldestPendingAt } = await store.orphans();
    const { deliveries } = await store.counts();
    const orphaned = { pending: sum(handlers, 'pending'), dead: sum(handlers, 'dead') };
    const { running, done } = deliveries;
    const pending = Math.max(0, deliveries.pending - orphaned.pending);
    const dead = Math.max(0, deliveries.dead - orphaned.dead);
    const findings: Finding[] = [];
    if (handlers.length > 0) {
      const names = handlers.map(({ handler }) => handler).join(', ');
      findings.push(
        warn(
          `${count(orphaned.pending + orphaned.dead, 'delivery is', 'deliveries are')} orphaned: no process has registered the handler (${names})`,
          'put its file back under that name; or end them with "dead discard --handler NAME". They expire with RETENTION_DAYS',
        ),
      );
    }
    const waits = oldestPendingAt === null ? 0 : Date.now() - oldestPendingAt;
    if (waits > LONG_PENDING_MS) {
      findings.push(
        warn(
          `${count(pending, 'delivery', 'deliveries')} to be run, the oldest for ${showSpan(waits)} by now`,
          'a handler fails again and again, or no process runs handlers; see "events list --state pending" and the log',
        ),
      );
    }
    if (dead > 0) {
      findings.push(
        warn(
          `${count(dead, 'delivery', 'deliveries')} used up all attempts`,
          'see "dead list"; once the cause is mended, "dead replay" runs them again',
        ),
      );
    }
    if (findings.length > 0) return findings;
    return [
      ok(`${pending.toLocaleString('en')} wait, ${running} run, ${done.toLocaleString('en')} are done, none is dead`),
    ];
  },
};

function sum(handlers: readonly { readonly pending: number; readonly dead: number }[], of: 'pending' | 'dead'): number {
  return handlers.reduce((total, handler) => total + handler[of], 0);
}

/** Bodies that nobody could read. */
export const quarantineCheck: Check = {
  name: 'quarantine',
  needs: ['DATABASE_URL'],
  run: async (context) => {
    const { quarantined } = await storeOf(context).counts();
    if (quarantined === 0) return [ok('empty')];
    return [
      warn(
        `${count(quarantined, 'body', 'bodies')} could not be read`,
        'see "quarantine list"; "quarantine retry" takes one that was mended',
      ),
    ];
  },
};

/** When something last came. */
export const eventsCheck: Check = {
  name: 'events',
  needs: ['DATABASE_URL'],
  run: async (context) => {
    const [last] = await storeOf(context).listEvents({ limit: 1 });
    if (last === undefined) return [ok('none has come yet')];
    const age = Date.now() - last.receivedAt;
    if (age < LONG_SILENT_MS) return [ok(`the last one came ${showSpan(age)} ago`)];
    return [warn(`nothing has come for ${showSpan(age)}`, 'if campaigns are sending, run "webhooks test"')];
  },
};
