import type { AuthenticationSettings } from '../config/settings.ts';
import { bodyScheme } from './body-signature.ts';
import { type AuthenticDelivery, makeAuthenticDelivery } from './delivery.ts';
import { loadKeys } from './load-keys.ts';
import type { Reason } from './read-header.ts';
import { convoyScheme, hookdeckScheme } from './relay-signatures.ts';
import { matchSignature, type ReadClaim, type SignatureClaim } from './signature-claim.ts';
import { standardWebhooksScheme, svixScheme } from './standard-webhooks.ts';
import { timestampedScheme } from './timestamped-signature.ts';
import { type AcceptedToken, digestToken, tokenScheme } from './token.ts';

/** Proves who sent a request, in two steps: what the headers tell before a byte of the body is read, and the rest. */
export interface Authenticator {
  /**
   * Judges everything that stands in headers alone. Never throws on anything a caller can send.
   *
   * @param rawHeaders names and values in turn, as in `IncomingMessage.rawHeaders`
   */
  inspectHeaders(rawHeaders: readonly string[]): HeaderInspection;

  /**
   * Holds the body against what its headers claimed.
   *
   * @param body the raw bytes; not copied, and not to be changed afterwards
   * @throws TypeError where the inspection is not one that this authenticator made and let through
   */
  verify(inspection: PassedInspection, body: Uint8Array, contentType: string | null): Verification;
}

export type HeaderInspection = { readonly verdict: 'refused'; readonly reason: Reason } | PassedInspection;

export interface PassedInspection {
  /** `proven`: whatever the body is, the request is authentic. `pending`: the body decides. */
  readonly verdict: 'proven' | 'pending';
  /** Also true where a signature is needed on top. */
  readonly tokenProven: boolean;
}

export type Verification =
  | {
      readonly authentic: true;
      readonly delivery: AuthenticDelivery;
      /** The position of the token that was proven; 0 for none. */
      readonly token: number;
      /** The token proved the sender, and a signature that was presented beside it did not hold. */
      readonly signatureMismatch: boolean;
    }
  | { readonly authentic: false; readonly reason: Reason };

/** What the headers told, kept where nothing but `verify` can reach it. */
interface Evidence {
  /** `undefined`: the scheme is off. */
  readonly signature: SignatureClaim | Reason | undefined;
  /** The position of the token that was proven; 0 for none. */
  readonly token: number;
  readonly verdict: PassedInspection['verdict'];
}

/** Its private fields keep look-alikes out: an object that merely has its shape proves nothing, nor does another authenticator's. */
class Inspection implements PassedInspection {
  readonly verdict: PassedInspection['verdict'];
  readonly tokenProven: boolean;
  readonly #maker: symbol;
  readonly #evidence: Evidence;

  constructor(maker: symbol, evidence: Evidence) {
    this.verdict = evidence.verdict;
    this.tokenProven = evidence.token > 0;
    this.#maker = maker;
    this.#evidence = evidence;
    Object.freeze(this);
  }

  /** `undefined`: this maker has not made it. */
  static evidenceOf(inspection: PassedInspection, maker: symbol): Evidence | undefined {
    return #maker in inspection && inspection.#maker === maker ? inspection.#evidence : undefined;
  }
}

/** What has become of the tokens since the settings were written: a rotation knows the new one by its digest alone. */
export interface TokenChanges {
  /** SHA-256 digests of tokens beside those of the settings, whose positions follow theirs. */
  readonly minted: readonly Uint8Array[];
  /** Positions of those that let nobody in any more. */
  readonly retired: ReadonlySet<number>;
  /** Positions of those of which that is not known now: they prove nothing, and their senders are to try again. */
  readonly doubtful?: ReadonlySet<number>;
}

const NO_CHANGES: TokenChanges = { minted: [], retired: new Set() };

/**
 * @param clock epoch milliseconds
 * @throws SettingsError where no secret is set, one cannot be used, or `both` lacks one
 */
export function createAuthenticator(
  settings: AuthenticationSettings,
  clock: () => number = Date.now,
  changes: TokenChanges = NO_CHANGES,
): Authenticator {
  const keys = loadKeys(settings);
  const tokens = acceptedTokens(keys.tokens, changes);
  const readClaim = keys.signatureKeys.length > 0 ? chooseScheme(settings) : undefined;
  // Where all are retired the scheme stays on, and refuses.
  const isTokenOn = keys.tokens.length + changes.minted.length > 0;
  const readToken = isTokenOn ? tokenScheme(tokens, settings.tokenHeader) : undefined;
  const maker = Symbol('authenticator');

  return {
    inspectHeaders(rawHeaders) {
      const signature = readClaim?.(rawHeaders, clock());
      const token = readToken?.(rawHeaders);
      const verdict = judge(settings.require, typeof signature === 'object', typeof token === 'number');
      if (verdict === 'refused')
        return { verdict, reason: token === 'doubtful' ? token : chooseReason(signature, token) };
      return new Inspection(maker, { signature, token: typeof token === 'number' ? token : 0, verdict });
    },

    verify(inspection, body, contentType) {
      const found = Inspection.evidenceOf(inspection, maker);
      if (found === undefined) throw new TypeError('This authenticator did not let the inspection through.');
      const { signature, token, verdict } = found;
      const hmac = typeof signature === 'object' ? matchSignature(signature, keys.signatureKeys, body) : 0;
      if (verdict === 'pending' && hmac === 0) return { authentic: false, reason: 'mismatch' };
      const delivery = makeAuthenticDelivery({ body, principal: name(hmac, token), source: 'webhook', contentType });
      const presented = signature !== undefined && signature !== 'missing';
      return { authentic: true, delivery, token, signatureMismatch: presented && hmac === 0 };
    },
  };
}

function acceptedTokens(tokens: readonly Uint8Array[], { minted, retired, doubtful }: TokenChanges): AcceptedToken[] {
  return [...tokens.map(digestToken), ...minted]
    .map((digest, index) => ({ position: index + 1, digest, isDoubtful: doubtful?.has(index + 1) ?? false }))
    .filter(({ position }) => !retired.has(position));
}

function chooseScheme(settings: AuthenticationSettings): ReadClaim {
  switch (settings.signatureScheme) {
    case 'body':
      return bodyScheme(settings);
    case 'timestamped':
      return timestampedScheme(settings);
    case 'standard-webhooks':
      return standardWebhooksScheme(settings);
    case 'hookdeck':
      return hookdeckScheme();
    case 'svix':
      return svixScheme(settings);
    case 'convoy':
      return convoyScheme(settings);
  }
}

function judge(
  require: AuthenticationSettings['require'],
  signaturePossible: boolean,
  tokenProven: boolean,
): 'refused' | PassedInspection['verdict'] {
  if (require === 'both') return signaturePossible && tokenProven ? 'pending' : 'refused';
  if (tokenProven) return 'proven';
  return signaturePossible ? 'pending' : 'refused';
}

/** What was tried and failed says more than what was not tried. */
function chooseReason(...outcomes: readonly unknown[]): Reason {
  const isFailure = (outcome: unknown): outcome is Reason => typeof outcome === 'string';
  return outcomes.filter(isFailure).find((reason) => reason !== 'missing') ?? 'missing';
}

function name(hmac: number, token: number): string {
  const proofs = [hmac > 0 ? `instantly:hmac:${hmac}` : '', token > 0 ? `instantly:token:${token}` : ''];
  return proofs.filter((proof) => proof !== '').join('+');
}
