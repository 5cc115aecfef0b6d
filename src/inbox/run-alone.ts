import type { Store } from './store.ts';

export interface AloneOptions {
  readonly store: Pick<Store, 'holdLease' | 'releaseLease'>;
  /** Of the job: one process at a time runs it. */
  readonly name: string;
  /** Of this process. */
  readonly owner: string;
  /** Milliseconds after which another may take the job over from a process that has vanished. */
  readonly leaseMs: number;
  /** The service is stopping. */
  readonly signal: AbortSignal;
}

export type RanAlone<Result> = { readonly ran: true; readonly result: Result } | { readonly ran: false };

/**
 * Runs a job under its lease, and not at all where another process holds that. The job's signal is aborted when the lease is
 * lost, because then another process may be at it, and when the service stops. Rejects with what the job or the store throws.
 */
export async function runAlone<Result>(
  { store, name, owner, leaseMs, signal }: AloneOptions,
  job: (signal: AbortSignal) => Promise<Result>,
): Promise<RanAlone<Result>> {
  if (!(await store.holdLease(name, owner, leaseMs))) return { ran: false };
  const lost = new AbortController();
  const renew = async (): Promise<void> => {
    // A store that does not answer may not have renewed it either.
    const isHeld = await store.holdLease(name, owner, leaseMs).catch(() => false);
    if (!isHeld) lost.abort(new Error(`the lease of ${name} was lost`));
  };
  const renewing = setInterval(() => void renew(), leaseMs / 3).unref();
  try {
    return { ran: true, result: await job(AbortSignal.any([signal, lost.signal])) };
  } finally {
    clearInterval(renewing);
    // It ends by itself where it cannot be given up now.
    await store.releaseLease(name, owner).catch(() => undefined);
  }
}
