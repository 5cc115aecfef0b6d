import { type AuthenticDelivery, makeAuthenticDelivery } from './delivery.ts';

const PROVEN_PRINCIPAL = /^instantly:(?:hmac|token):[1-9][0-9]*(?:\+instantly:token:[1-9][0-9]*)?$/;

/**
 * Vouches for bytes out of the quarantine: their sender was proven when they came, and an operator, who answers for the
 * change, has mended them and accepts them again.
 *
 * @throws TypeError where the record does not name a sender that was proven
 */
export function restoreQuarantined(record: {
  readonly principal: string;
  readonly body: Uint8Array;
  readonly contentType: string | null;
}): AuthenticDelivery {
  const { principal, body, contentType } = record;
  if (!PROVEN_PRINCIPAL.test(principal)) throw new TypeError('The quarantined body has no proven sender.');
  return makeAuthenticDelivery({ body, principal, source: 'quarantine', contentType });
}
