import type { AuditDraft } from '../../audit/entry.ts';
import type { Accept, Batch, NewEvent, PendingAudit, Quarantine } from '../../inbox/store.ts';

/**
 * A batch on its way to the writer thread: one text and one block of bytes. Cloned as the few hundred objects it is made
 * of, a batch costs the thread that answers HTTP several times as much.
 */
export interface PackedBatch {
  readonly text: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

// Accepts are lists without names: those of twenty fields would be half of the text, and there are thousands a second.

type PackedDraft = readonly [
  id: AuditDraft['id'],
  timestamp: AuditDraft['timestamp'],
  action: AuditDraft['action'],
  userId: AuditDraft['userId'],
  resource: AuditDraft['resource'],
  result: AuditDraft['result'],
  metadata: AuditDraft['metadata'],
];

type PackedAccept = readonly [
  keySize: number,
  bodySize: number,
  id: NewEvent['id'],
  receivedAt: NewEvent['receivedAt'],
  type: NewEvent['type'],
  rawType: NewEvent['rawType'],
  timestamp: NewEvent['timestamp'],
  lead: NewEvent['lead'],
  campaignId: NewEvent['campaignId'],
  principal: NewEvent['principal'],
  source: NewEvent['source'],
  charset: NewEvent['charset'],
  dedupUntil: NewEvent['dedupUntil'],
  routes: Accept['routes'],
  startedAt: PendingAudit['startedAt'],
  draft: PackedDraft,
  quarantineId: string | null,
];

type PackedQuarantine = Omit<Quarantine, 'body'> & { readonly size: number };

interface PackedText extends Omit<Batch, 'accepts' | 'quarantines'> {
  readonly accepts: readonly PackedAccept[];
  readonly quarantines: readonly PackedQuarantine[];
}

export function packBatch({ accepts, quarantines, outcomes, audits }: Batch): PackedBatch {
  const parts: Uint8Array[] = [];
  const packed: PackedText = {
    accepts: accepts.map((accept) => {
      parts.push(accept.event.dedupKey, accept.event.body);
      return packAccept(accept);
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
    accepts: packed.accepts.map((accept) => unpackAccept(accept, take)),
    quarantines: packed.quarantines.map(({ size, ...quarantine }) => ({ ...quarantine, body: take(size) })),
    outcomes: packed.outcomes,
    audits: packed.audits,
  };
}

function packAccept({ event, routes, audit, quarantineId }: Accept): PackedAccept {
  const { draft } = audit;
  return [
    event.dedupKey.byteLength,
    event.body.byteLength,
    event.id,
    event.receivedAt,
    event.type,
    event.rawType,
    event.timestamp,
    event.lead,
    event.campaignId,
    event.principal,
    event.source,
    event.charset,
    event.dedupUntil,
    routes,
    audit.startedAt,
    [draft.id, draft.timestamp, draft.action, draft.userId, draft.resource, draft.result, draft.metadata],
    quarantineId ?? null,
  ];
}

function unpackAccept(packed: PackedAccept, take: (size: number) => Uint8Array): Accept {
  const [keySize, bodySize, id, receivedAt, type, rawType, timestamp, lead, campaignId, ...rest] = packed;
  const [principal, source, charset, dedupUntil, routes, startedAt, draft, quarantineId] = rest;
  const dedupKey = take(keySize);
  const facts = { id, receivedAt, type, rawType, timestamp, lead, campaignId, principal, source, charset, dedupUntil };
  return {
    event: { ...facts, dedupKey, body: take(bodySize) },
    routes,
    audit: { startedAt, draft: unpackDraft(draft) },
    ...(quarantineId === null ? {} : { quarantineId }),
  };
}

function unpackDraft([id, timestamp, action, userId, resource, result, metadata]: PackedDraft): AuditDraft {
  return { id, timestamp, action, userId, resource, result, metadata };
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}
