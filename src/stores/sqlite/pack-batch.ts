import type { Accept, Batch, NewEvent, Quarantine } from '../../inbox/store.ts';

/**
 * A batch on its way to the writer thread: one text and one block of bytes. Cloned as the few hundred objects it is made
 * of, a batch costs the thread that answers HTTP several times as much.
 */
export interface PackedBatch {
  readonly text: string;
  readonly bytes: Uint8Array;
}

type PackedEvent = Omit<NewEvent, 'body' | 'dedupKey'>;
type PackedAccept = Omit<Accept, 'event'> & {
  readonly event: PackedEvent;
  readonly key: number;
  readonly size: number;
};
type PackedQuarantine = Omit<Quarantine, 'body'> & { readonly size: number };

interface PackedText extends Omit<Batch, 'accepts' | 'quarantines'> {
  readonly accepts: readonly PackedAccept[];
  readonly quarantines: readonly PackedQuarantine[];
}

export function packBatch({ accepts, quarantines, outcomes, audits }: Batch): PackedBatch {
  const parts: Uint8Array[] = [];
  const packed: PackedText = {
    accepts: accepts.map(({ event: { body, dedupKey, ...event }, ...accept }) => {
      parts.push(dedupKey, body);
      return { ...accept, event, key: dedupKey.byteLength, size: body.byteLength };
    }),
    quarantines: quarantines.map(({ body, ...quarantine }) => {
      parts.push(body);
      return { ...quarantine, size: body.byteLength };
    }),
    outcomes,
    audits,
  };
  return { text: JSON.stringify(packed), bytes: join(parts) };
}

export function unpackBatch({ text, bytes }: PackedBatch): Batch {
  const packed = JSON.parse(text) as PackedText;
  let offset = 0;
  const take = (size: number): Uint8Array => {
    offset += size;
    return bytes.subarray(offset - size, offset);
  };
  return {
    // In the order in which they were laid.
    accepts: packed.accepts.map(({ event, key, size, ...accept }) => ({
      ...accept,
      event: { ...event, dedupKey: take(key), body: take(size) },
    })),
    quarantines: packed.quarantines.map(({ size, ...quarantine }) => ({ ...quarantine, body: take(size) })),
    outcomes: packed.outcomes,
    audits: packed.audits,
  };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}
