import { isOfStranger } from './chain-memory.ts';
import { type Counted, countedOf, earlier, later, type Triple, TripleCounts } from './count-triples.ts';
import type { AuditDraft } from './entry.ts';
import { draft } from './make-draft.ts';

/** The action of the entry that stands for all that could not be written while the store was away. */
const GAP = 'audit.gap';

type GapCount = Triple & { readonly count: number };

/** Entries that could not be written, counted in bounded memory until one entry can say so. */
export class AuditGap {
  readonly #counts = { anonymous: new TripleCounts(), service: new TripleCounts() };

  /** Takes note of an entry whose commit failed. One that stands for many counts as many, be it from the anonymous
   * budget or a gap itself, so that all drafts of a failed commit can be handed over as they are. */
  countGap(lost: AuditDraft): void {
    const counts = this.#counts[isOfStranger(lost) ? 'anonymous' : 'service'];
    for (const counted of lost.action === GAP ? countsOf(lost) : [countedOf(lost)]) counts.add(counted);
  }

  /**
   * One entry for all of it, and one for all of strangers, which are no longer held here then: hand them to `countGap` if
   * their commit fails. None where nothing was lost. Ask for them only with a commit that may succeed, not after each that fails.
   */
  takeGaps(now: number): AuditDraft[] {
    return (['service', 'anonymous'] as const).flatMap((userId) => this.#take(userId, now) ?? []);
  }

  #take(userId: 'service' | 'anonymous', now: number): AuditDraft | undefined {
    const taken = this.#counts[userId].take();
    const [first] = taken;
    if (first === undefined) return undefined;
    const from = taken.reduce((earliest, counted) => earlier(earliest, counted.from), first.from);
    const to = taken.reduce((latest, counted) => later(latest, counted.to), first.to);
    const counts = taken.map(({ action, status, reason, count }) => ({ action, status, reason, count }));
    const metadata = { from, to, counts };
    return draft({ action: GAP, userId, resource: 'audit', result: 'failure', metadata, at: now });
  }
}

/** A gap's counts. They were written by `takeGaps`, since nothing else makes drafts with this action. */
function countsOf({ resource, result, metadata }: AuditDraft): Counted[] {
  const counts = metadata['counts'] as readonly unknown[] as readonly GapCount[];
  const [from, to] = [String(metadata['from']), String(metadata['to'])];
  return counts.map((count) => ({ ...count, resource, result, from, to }));
}
