import type { SealedEntry } from '../../audit/chain.ts';
import type { DeliveryRoute, NewEvent } from '../../inbox/store.ts';

/** What is moved from a spill into the store behind it in one transaction: of each kind the oldest, in order. */
export interface Parcel {
  readonly events: readonly SpilledEvent[];
  readonly bodies: readonly SpilledBody[];
  /** In the order in which they were written, whatever each of them says about its place. */
  readonly entries: readonly SpilledEntry[];
  /** Nothing else was in the spill. */
  readonly isWhole: boolean;
}

export interface SpilledEvent {
  readonly event: NewEvent;
  /** What was decided when it came. */
  readonly routes: readonly DeliveryRoute[];
}

/** A body in quarantine. Once it is in a parcel nothing is counted into it any more: the same bytes again are kept under
 * another id. So whoever takes in an id twice need not add it up twice. */
export interface SpilledBody {
  readonly id: string;
  readonly receivedAt: number;
  readonly lastReceivedAt: number;
  readonly times: number;
  readonly reason: string;
  readonly principal: string;
  readonly contentType: string | null;
  readonly bodySha256: string;
  readonly body: Uint8Array;
}

/** An audit entry as it is stored: nothing of it has been checked. */
export interface SpilledEntry extends SealedEntry {
  /** Where it lies in the spill. */
  readonly position: number;
}

export interface ParcelLimits {
  /** Of each kind. */
  readonly rows: number;
  /** Of bodies and metadata together; what comes first is taken however large it is. */
  readonly bytes: number;
}

/** What names the rows of a parcel. Numbers of rows are given anew once a table is empty, so none is trusted alone. */
export interface ParcelRows {
  readonly events: readonly string[];
  readonly bodies: readonly string[];
  readonly entries: readonly { readonly position: number; readonly hash: string }[];
}

export interface SpillSize {
  readonly events: number;
  /** Bytes of the file that are in use. */
  readonly bytes: number;
  /** Neither events nor bodies nor audit entries. */
  readonly isEmpty: boolean;
}

export function rowsOf({ events, bodies, entries }: Parcel): ParcelRows {
  return {
    events: events.map(({ event }) => event.id),
    bodies: bodies.map(({ id }) => id),
    entries: entries.map(({ position, hash }) => ({ position, hash })),
  };
}

export function isEmptyParcel({ events, bodies, entries }: Parcel): boolean {
  return events.length + bodies.length + entries.length === 0;
}
