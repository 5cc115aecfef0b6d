import { GroupCommit } from '../inbox/group-commit.ts';
import type { Store } from '../inbox/store.ts';

/** Commits of a command: a few at once, none of which anybody else waits for. */
export function commitTo(store: Store, atOnce: number): GroupCommit {
  return new GroupCommit({
    store,
    maxQueued: atOnce,
    maxBatch: atOnce,
    takeAudits: () => [],
    lostAudits: () => undefined,
  });
}
