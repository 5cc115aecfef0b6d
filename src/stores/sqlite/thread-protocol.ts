import type { ChainHead } from '../../audit/entry.ts';
import type { Tampering } from '../../audit/tampering.ts';
import type { Operations } from './operations.ts';

export type FileSetting = 'DATABASE_URL' | 'SPILL_DATABASE_URL';

export type OperationName = keyof Operations;

export interface ThreadOptions {
  readonly file: string;
  readonly writer: string;
  readonly auditKey: string;
  /** Hold the file as the one serving process. */
  readonly serve: boolean;
  /** The setting that names the file, for messages. Default: DATABASE_URL. */
  readonly setting?: FileSetting;
  /** Largest size of the file of a spill, its write-ahead log not counted. */
  readonly maxBytes?: number;
  /** Make the file anew where it vanishes under the service: what comes next matters more than where the old one is. */
  readonly remake?: true;
  /** An earlier thread had the file open: it is not made where it is missing, save with `remake`. */
  readonly reopened?: true;
  /** What that thread last committed of its chains. */
  readonly heads?: readonly ChainHead[];
}

export type ToThread =
  | { readonly id: number; readonly operation: OperationName; readonly values: readonly unknown[] }
  | { readonly close: true };

/** An error as it crosses: what a class and a stack would say is lost, on purpose. */
export interface ThreadError {
  readonly message: string;
  /** Faults of the set-up, to be shown at the start. */
  readonly faults?: readonly string[];
  /** The fault lies in a row of the call. */
  readonly row?: true;
}

export type FromThread =
  /** Another receiver serves from the file; with its process, as a text to be put behind that, or empty. */
  | { readonly waiting: string }
  /** The file is of an earlier release, which may take a while to change. */
  | { readonly upgrading: true }
  | { readonly ready: true }
  | { readonly failed: ThreadError }
  /** `heads`: of the chains, where they have changed since the last answer. */
  | { readonly id: number; readonly value: unknown; readonly heads?: readonly ChainHead[] }
  | { readonly id: number; readonly error: ThreadError }
  | { readonly foreignChange: true }
  | { readonly tampered: Tampering };

/** Operations with bodies among their values, in memory that nobody needs in the thread they come from. */
const WITH_BODIES: ReadonlySet<OperationName> = new Set([
  'commit',
  'spillCommit',
  'claim',
  'readParcel',
  'findEvent',
  'findQuarantined',
]);
/** Bytes from which memory is cheaper handed over than cloned. */
const MOVED_BYTES = 64 * 1024;

/** Memory that is handed over with a message and not cloned, which takes a thread milliseconds for each body of megabytes. */
export function blocksToMove(operation: OperationName, values: unknown): ArrayBuffer[] {
  const blocks = new Set<ArrayBuffer>();
  if (WITH_BODIES.has(operation)) gatherBlocks(values, blocks);
  return [...blocks];
}

function gatherBlocks(value: unknown, blocks: Set<ArrayBuffer>): void {
  if (typeof value !== 'object' || value === null) return;
  if (!ArrayBuffer.isView(value)) for (const part of Object.values(value)) gatherBlocks(part, blocks);
  else if (value.byteLength >= MOVED_BYTES && value.byteLength === value.buffer.byteLength)
    blocks.add(value.buffer as ArrayBuffer);
}
