import { createHash } from 'node:crypto';
import type { Accept, AcceptResult, DeliveryOutcome, NewEvent, Quarantine } from './store.ts';

/** Why a body is in quarantine whose event the store refuses. */
const NOT_STORABLE = 'not-storable';
const ERROR_NOT_STORABLE = 'the store refused the text of this error';

export type Part =
  | { readonly kind: 'accepts'; readonly value: Accept; readonly resolve: (result: AcceptResult) => void }
  | { readonly kind: 'quarantines'; readonly value: Quarantine; readonly resolve: (id: string) => void }
  | { readonly kind: 'outcomes'; readonly value: DeliveryOutcome; readonly resolve: () => void };

export type Waiting = Part & { readonly reject: (error: Error) => void };

/** What became of it, for the log. */
export const SET_APART: Readonly<Record<RefusedRow['kind'], string>> = {
  event: 'the store refuses an event: its bytes are kept in quarantine ("quarantine show"), and no handler gets it',
  outcome: 'the store refuses the text of an error: the outcome is kept without it',
};

/** A row that the store refuses whatever stands beside it. */
export interface RefusedRow {
  readonly kind: 'event' | 'outcome';
  readonly id: string;
}

/**
 * What a store refuses as an event is kept by its bytes, with nothing of what was read in them; an outcome, without the text of
 * the handler's error. `undefined`: there is nothing to leave out.
 */
export function keepOtherwise(part: Waiting): { readonly row: RefusedRow; readonly kept: Waiting } | undefined {
  const { reject } = part;
  if (part.kind === 'accepts' && part.value.quarantineId === undefined) {
    const { event, audit } = part.value;
    const value = { ...quarantineForm(event), audit };
    const { id } = event;
    const resolve = (kept: string): void => part.resolve({ status: kept === id ? 'accepted' : 'duplicate', id: kept });
    return { row: { kind: 'event', id }, kept: { kind: 'quarantines', value, resolve, reject } };
  }
  if (part.kind !== 'outcomes') return undefined;
  const { next, deliveryId } = part.value;
  if (!('error' in next) || next.error === ERROR_NOT_STORABLE) return undefined;
  const kept = { ...part, value: { ...part.value, next: { ...next, error: ERROR_NOT_STORABLE } } };
  return { row: { kind: 'outcome', id: String(deliveryId) }, kept };
}

/** The bytes of an event, without what was read in them. */
export function quarantineForm({ id, receivedAt, principal, charset, body }: NewEvent): Omit<Quarantine, 'audit'> {
  const bodySha256 = createHash('sha256').update(body).digest('hex');
  const contentType = charset === null ? null : `application/json; charset=${charset}`;
  return { id, receivedAt, reason: NOT_STORABLE, principal, contentType, bodySha256, body };
}
