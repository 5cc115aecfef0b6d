import { z } from 'zod';
import type { Store } from '../inbox/store.ts';

/** The document of the store that the processes which watch share. */
const NAME = 'watch';

const time = z.number();

const watchedWebhook = z.object({
  id: z.string(),
  name: z.string().nullable(),
  status: z.enum(['active', 'disabled', 'unknown']),
  /** Epoch milliseconds. */
  disabledSince: time.nullable(),
  /** Times in a row that we had it resumed, and when last. */
  resumes: z.number(),
  resumedAt: time.nullable(),
  /** We were about to, and have not seen what came of it. */
  resuming: z.boolean().default(false),
  /** Fingerprint of the token that it carries; `null`: it carries none. Absent: not known. */
  token: z.string().nullable().optional(),
});
export type WatchedWebhook = z.output<typeof watchedWebhook>;
export type AbsentWebhook = WatchState['absent'][number];

const run = z.object({
  mode: z.enum(['failed', 'all']),
  from: time,
  to: time,
  startingAfter: z.string().optional(),
  /** That it has taken so far. */
  rounds: z.number().default(0),
});

const watchState = z.object({
  /** Epoch milliseconds of the last look. */
  at: time,
  /** Why Instantly did not tell the status at the last look; `null`: it did. */
  fault: z.string().nullable(),
  webhooks: z.array(watchedWebhook),
  /** Those that Instantly did not list at the last look, as they were: one may come back. */
  absent: z.array(watchedWebhook.extend({ absentSince: time })).default([]),
  reconcile: z.object({
    /** Up to here failed deliveries have been fetched back; `null`: never yet. */
    through: time.nullable(),
    /** From here on everything is to be fetched back, because a webhook was disabled. */
    allFrom: time.nullable(),
    /** One that a limit or a restart has interrupted. */
    run: run.nullable(),
  }),
  silence: z.object({
    /** Whether there was a look already, which may have found nothing. */
    looked: z.boolean().default(false),
    /** Emails sent by day, as Instantly last told. */
    sent: z.record(z.string(), z.number()),
    /** Emails sent since the last event arrived. */
    sentSince: z.number(),
    lastEventAt: time.nullable(),
  }),
});
export type WatchState = z.output<typeof watchState>;
export type ReconcileState = WatchState['reconcile'];

const FRESH: WatchState = {
  at: 0,
  fault: null,
  webhooks: [],
  absent: [],
  reconcile: { through: null, allFrom: null, run: null },
  silence: { looked: false, sent: {}, sentSince: 0, lastEventAt: null },
};

/** What another release has written otherwise is begun anew: it tells of the past, and holds no event. */
export async function readWatchState(store: Pick<Store, 'readDocument'>): Promise<WatchState> {
  const document = await store.readDocument(NAME);
  const read = document && watchState.safeParse(JSON.parse(document.text));
  return read?.success === true ? read.data : FRESH;
}

/** Under the lease of the watch, so that nobody writes over anybody. */
export async function writeWatchState(store: Pick<Store, 'writeDocument'>, state: WatchState): Promise<void> {
  await store.writeDocument(NAME, JSON.stringify(state), null);
}
