interface SchemeFacts {
  /** The headers of the scheme, lower case, the one with the signature first; empty: settings name them. */
  readonly headers: readonly string[];
  /** Whether keys are `whsec_` and base64; otherwise they are text. */
  readonly whsecKeys?: true;
}

const STANDARD_HEADERS = ['webhook-signature', 'webhook-id', 'webhook-timestamp'] as const;

/** Every signature scheme, the default first. */
export const SIGNATURE_SCHEMES = {
  body: { headers: [] },
  timestamped: { headers: [] },
  'standard-webhooks': { headers: STANDARD_HEADERS, whsecKeys: true },
  hookdeck: { headers: ['x-hookdeck-signature', 'x-hookdeck-signature-2'] },
  // Svix sends the names of Standard Webhooks for customers who have its own taken away.
  svix: { headers: ['svix-signature', 'svix-id', 'svix-timestamp', ...STANDARD_HEADERS], whsecKeys: true },
  convoy: { headers: ['x-convoy-signature'] },
} as const satisfies Record<string, SchemeFacts>;

export type SignatureScheme = keyof typeof SIGNATURE_SCHEMES;

export const SCHEME_NAMES = Object.keys(SIGNATURE_SCHEMES) as SignatureScheme[];

export function schemeFacts(scheme: SignatureScheme): SchemeFacts {
  return SIGNATURE_SCHEMES[scheme];
}
