import { isUint8Array } from 'node:util/types';
import { type AuthenticDelivery, makeAuthenticDelivery } from './delivery.ts';
import { leadsTo } from './leads-to.ts';

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

/**
 * Vouches for a payload out of Instantly's own delivery log: Instantly's API answered it, over TLS, to a key of ours, and
 * names our URL, with or without a query, as where it was to go. No delivery of it need ever have come. A payload out of a large page
 * comes as the bytes of its text.
 *
 * @throws TypeError where it is for another URL or holds no JSON object
 */
export function restoreLogged(
  record: { readonly payload: unknown; readonly webhookUrl: string },
  ownUrl: string,
): AuthenticDelivery {
  const { payload, webhookUrl } = record;
  if (!leadsTo(webhookUrl, ownUrl)) throw new TypeError('The logged delivery is for another URL.');
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
    throw new TypeError('The logged delivery holds no JSON object.');
  }
  const body = isUint8Array(payload) ? payload : Buffer.from(JSON.stringify(payload));
  return makeAuthenticDelivery({
    body,
    principal: 'instantly:log',
    source: 'reconcile',
    contentType: 'application/json',
  });
}
