import type { KeyObject } from 'node:crypto';
import { deriveAuditKey } from '../../src/audit/chain.ts';
import { newId } from '../../src/audit/new-id.ts';
import { Secret } from '../../src/config/secret.ts';
import { AuditLane } from '../../src/stores/postgres/audit-lane.ts';
import { connect } from '../../src/stores/postgres/connect.ts';
import { type Runner, transact } from '../../src/stores/postgres/transaction.ts';
import { makeDraft } from './make-parts.ts';
import { AUDIT_KEY } from './store-contract.ts';

export interface HeldTransaction<Result> {
  readonly result: Result;
  /** Ends it, and its connection. */
  commit(): Promise<void>;
}

/** What another process has done and not committed yet. */
export async function holdTransaction<Result>(
  url: string,
  work: (runner: Runner) => Promise<Result>,
): Promise<HeldTransaction<Result>> {
  const done = Promise.withResolvers<Result>();
  const release = Promise.withResolvers<void>();
  const client = await connect({ url });
  const ended = transact(client, async (runner) => {
    done.resolve(await work(runner));
    await release.promise;
  }).finally(() => client.end());
  ended.catch(done.reject);
  return {
    result: await done.promise,
    commit: async () => {
      release.resolve();
      await ended;
    },
  };
}

/** A process that writes into a chain of its own, one transaction at a time. */
export class Writer {
  readonly key: KeyObject = deriveAuditKey(new Secret(AUDIT_KEY));
  readonly lane = new AuditLane({ writer: newId(), key: this.key });

  /** To be called inside a transaction. */
  async write(runner: Runner, action: string, at = Date.now()): Promise<void> {
    const chain = await this.lane.open(runner, Date.now());
    chain.append(makeDraft(action, at));
    for (const { statement, values } of chain.close().statements) await runner.all(statement, ...values);
  }
}
