/** The one door of this room. What makes an `AuthenticDelivery` stays inside. */
export {
  type Authenticator,
  createAuthenticator,
  type HeaderInspection,
  type PassedInspection,
  type TokenChanges,
  type Verification,
} from './authenticator.ts';
export { verifyWebhookSignature } from './body-signature.ts';
export { type AuthenticDelivery, type DeliverySource, isAuthentic } from './delivery.ts';
export { fingerprintToken, fingerprintTokens, markingOf, markToken, newMarking, tokenId } from './fingerprint-token.ts';
export { leadsTo, plainPath } from './leads-to.ts';
export type { Reason } from './read-header.ts';
export { restoreLogged, restoreQuarantined } from './restore.ts';
export { type SignOptions, signHeaders } from './sign.ts';
export { createTokenReader, digestsHeld, digestToken, type ReadToken } from './token.ts';
export { type Coding, type Unpacked, UnpackTimeout, unpack } from './unpack.ts';
