/** Checked by `tsc` alone: each line below that must not compile says so, and fails the build on the day it does. */
import type { Authenticator, AuthenticDelivery, HeaderInspection } from '../../src/authenticate/index.ts';
// @ts-expect-error: what makes a delivery without proof is not let out of its room.
import { makeAuthenticDelivery } from '../../src/authenticate/index.ts';

declare function accept(delivery: AuthenticDelivery): void;
declare const proven: AuthenticDelivery;
declare const authenticator: Authenticator;
declare const inspection: HeaderInspection;
declare const body: Uint8Array;

accept(proven);

// @ts-expect-error: a literal with the same fields is not a proven delivery.
accept({ body, principal: 'instantly:token:1', source: 'webhook', contentType: null });

// @ts-expect-error: neither is a copy of one.
accept({ ...proven });

// @ts-expect-error: least of all with another body.
accept({ ...proven, body });

// @ts-expect-error: the fields of a proven delivery stay as they are.
proven.body = body;

// @ts-expect-error: a refused request has nothing to verify.
authenticator.verify(inspection, body, null);

if (inspection.verdict !== 'refused') {
  const verification = authenticator.verify(inspection, body, null);

  // @ts-expect-error: there is a delivery only where the verification says authentic.
  accept(verification.delivery);

  if (verification.authentic) accept(verification.delivery);
}

export { makeAuthenticDelivery };
