import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Batch } from '../../src/inbox/store.ts';
import { packBatch, unpackBatch } from '../../src/stores/sqlite/pack-batch.ts';
import { makeAccept, makeBatch, makeDraft, makeQuarantine } from '../contract/make-parts.ts';

/** Buffers and plain byte arrays alike, so that only the bytes are compared. */
function plain(batch: Batch): unknown {
  const bytes = (value: Uint8Array): number[] => [...value];
  return {
    ...batch,
    accepts: batch.accepts.map(({ event, ...accept }) => ({
      ...accept,
      event: { ...event, body: bytes(event.body), dedupKey: bytes(event.dedupKey) },
    })),
    quarantines: batch.quarantines.map(({ body, ...quarantine }) => ({ ...quarantine, body: bytes(body) })),
  };
}

const bodies = fc.array(fc.string({ unit: 'binary', maxLength: 50 }), { maxLength: 5 });

describe('a batch on its way to the writer thread', () => {
  test('arrives as it was, whatever its bytes and texts are', () => {
    fc.assert(
      fc.property(bodies, bodies, bodies, (accepted, kept, actions) => {
        const batch = makeBatch({
          accepts: accepted.map((content, index) => ({
            ...makeAccept({ content, lead: content, timestamp: index === 0 ? null : index }),
            ...(index % 2 === 0 ? {} : { quarantineId: content }),
          })),
          quarantines: kept.map(makeQuarantine),
          outcomes: actions.map((error, deliveryId) => ({
            deliveryId,
            lease: error,
            at: deliveryId,
            next: { state: 'dead' as const, error },
            audit: makeDraft('handler.run'),
          })),
          audits: actions.map((action) => makeDraft(action)),
        });
        // Through the port, as it really goes.
        expect(plain(unpackBatch(structuredClone(packBatch(batch))))).toEqual(plain(batch));
      }),
    );
  });
});
