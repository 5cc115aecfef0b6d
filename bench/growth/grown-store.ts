import type { Store } from '../../src/inbox/store.ts';
import type { StoreKind } from '../store-kinds.ts';

/** A store of one size, open as a serving process has it. */
export interface GrownStore {
  /** Events that it was made with. */
  readonly size: number;
  readonly store: Store;
  /** Commits that it bears at once. */
  readonly maxInFlight: number;
  readonly made: MadeStore;
  /** What the store's own housekeeping would do one day between two windows. */
  settle(): Promise<void>;
  /** Closes the store and shows how it does its work, in statements of its own with values of this data. */
  explain(): Promise<readonly Plan[]>;
}

export interface MadeStore {
  readonly seconds: number;
  /** On the disk, with its indexes. */
  readonly bytes: number;
}

export interface Plan {
  readonly statement: string;
  readonly lines: readonly string[];
}

/** Where the stores of one kind are made. */
export interface Ground {
  readonly kind: StoreKind;
  grow(size: number): Promise<GrownStore>;
  /** Ends and removes all that was made. */
  remove(): Promise<void>;
}

/** Tables that grow with the events; a plan that reads one of them whole costs more with each. */
export const GROWING_TABLES = ['events', 'deliveries', 'dedup_keys', 'audit_entries'] as const;

/** The steps of a plan, without the conditions, in which PostgreSQL shows the values. */
export function shapeOf(lines: readonly string[]): string {
  return lines.filter((line) => /->|^\S/.test(line)).join('\n');
}
