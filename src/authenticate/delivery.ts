export type DeliverySource = 'webhook' | 'quarantine' | 'reconcile';

export interface DeliveryFields {
  /** Exactly as it came. Not copied: whoever hands it over leaves it alone from then on. */
  readonly body: Uint8Array;
  /** Who was proven: `instantly:hmac:1`, `instantly:token:2`, or both joined with `+`. */
  readonly principal: string;
  readonly source: DeliverySource;
  readonly contentType: string | null;
}

const MAKER = Symbol('maker');

/**
 * A body whose sender is proven. The private field makes the type one that nothing else fits, however alike, and the
 * symbol keeps every constructor call inside this file, so having one means that the proof took place.
 */
export class AuthenticDelivery implements DeliveryFields {
  readonly body: Uint8Array;
  readonly principal: string;
  readonly source: DeliverySource;
  readonly contentType: string | null;
  readonly #proven = true;

  constructor(maker: typeof MAKER, fields: DeliveryFields) {
    if (maker !== MAKER) throw new TypeError('An AuthenticDelivery is made by authentication alone.');
    this.body = fields.body;
    this.principal = fields.principal;
    this.source = fields.source;
    this.contentType = fields.contentType;
    Object.freeze(this);
  }

  static isAuthentic(value: unknown): value is AuthenticDelivery {
    return typeof value === 'object' && value !== null && #proven in value;
  }
}

/** Tells a proven delivery from a look-alike at run time, where types no longer do. */
export function isAuthentic(value: unknown): value is AuthenticDelivery {
  return AuthenticDelivery.isAuthentic(value);
}

/** For the files of this room, right after the proof; index.ts does not pass it on. */
export function makeAuthenticDelivery(fields: DeliveryFields): AuthenticDelivery {
  return new AuthenticDelivery(MAKER, fields);
}
