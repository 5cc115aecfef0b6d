/** The one door of this room. What makes an `AuthenticDelivery` stays inside. */
export {
  type Authenticator,
  createAuthenticator,
  type HeaderInspection,
  type PassedInspection,
  type Verification,
} from './authenticator.ts';
export { type AuthenticDelivery, type DeliverySource, isAuthentic } from './delivery.ts';
export type { Reason } from './read-header.ts';
export { restoreQuarantined } from './restore.ts';
export { type SignOptions, signHeaders } from './sign.ts';
export { createTokenReader, type ReadToken } from './token.ts';
