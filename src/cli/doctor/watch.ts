import { SILENT_FROM } from '../../instantly/detect-silence.ts';
import { readWatchState } from '../../instantly/watch-state.ts';
import { type Check, type Finding, fail, ok, Skipped, warn } from './check.ts';
import { settingsOf, storeOf } from './context.ts';
import { showSpan } from './show-span.ts';

/** Intervals after which a look is overdue. */
const OVERDUE = 3;

/** What the service itself has last seen of its registration. */
export const watchCheck: Check = {
  name: 'watch',
  needs: ['DATABASE_URL', 'PUBLIC_URL', 'INSTANTLY_READ_KEY', 'INSTANTLY_API_KEY', 'INSTANTLY_WATCH_SECONDS'],
  run: async (context) => {
    const { instantly } = settingsOf(context);
    const store = storeOf(context);
    if (instantly.readKey === undefined || instantly.webhookUrl === undefined) {
      throw new Skipped('the service looks after no registration', 'set PUBLIC_URL and INSTANTLY_READ_KEY');
    }
    const { at, fault, silence, reconcile } = await readWatchState(store);
    if (at === 0) throw new Skipped('the service has not looked at Instantly yet', 'wait a minute after its start');
    const age = Date.now() - at;
    const findings: Finding[] = [];
    if (silence.sentSince >= SILENT_FROM) {
      findings.push(
        fail(
          `campaigns have sent ${silence.sentSince} emails since the last event came`,
          'run "webhooks test", and look at the webhook at Instantly',
        ),
      );
    }
    if (fault !== null) findings.push(warn(`its last look failed (${fault})`, 'see the line "instantly", and the log'));
    if (age > instantly.watchMs * OVERDUE) {
      findings.push(warn(`its last look was ${showSpan(age)} ago`, 'see whether a receiver runs, and its log'));
    }
    if (reconcile.allFrom !== null) {
      findings.push(
        warn(
          `what was missed since ${new Date(reconcile.allFrom).toISOString()} is still being fetched back`,
          'it goes on by itself; "reconcile --all" does it now',
        ),
      );
    }
    return findings.length > 0 ? findings : [ok(`the service looked ${showSpan(age)} ago`)];
  },
};
