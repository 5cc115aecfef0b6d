/** Event types by their canonical names, which are the names Instantly's subscriptions use; `auto_reply_received` arrives
 * though nobody can subscribe to it by name. Source: Instantly's webhook guide and API v2 document, August 2026. */
export const CANONICAL_TYPES = [
  'email_sent',
  'email_opened',
  'email_link_clicked',
  'reply_received',
  'auto_reply_received',
  'email_bounced',
  'lead_unsubscribed',
  'account_error',
  'campaign_completed',
  'lead_neutral',
  'lead_interested',
  'lead_not_interested',
  'lead_meeting_booked',
  'lead_meeting_completed',
  'lead_closed',
  'lead_out_of_office',
  'lead_wrong_person',
  'lead_no_show',
  'supersearch_enrichment_completed',
] as const;

export type CanonicalType = (typeof CANONICAL_TYPES)[number];

/** What a webhook can be subscribed to by name. */
export type Subscription = 'all_events' | Exclude<CanonicalType, 'auto_reply_received'>;

export const SUBSCRIPTIONS: readonly Subscription[] = [
  'all_events',
  ...CANONICAL_TYPES.filter((type) => type !== 'auto_reply_received'),
];

/** The type of an event whose payload has no usable `event_type`. */
export const UNKNOWN_TYPE = 'unknown';

/** The payload's names that differ from the subscription's. */
export type TypeAlias = 'link_clicked';

export const TYPE_ALIASES: readonly TypeAlias[] = ['link_clicked'];

const canonicalTypes: ReadonlySet<string> = new Set(CANONICAL_TYPES);

const aliases: ReadonlyMap<string, CanonicalType> = new Map<TypeAlias, CanonicalType>([
  ['link_clicked', 'email_link_clicked'],
]);

/** The canonical name for a payload's `event_type`; any other text is a workspace's custom label and stays as it is. */
export function canonicalType(raw: string): string {
  return aliases.get(raw) ?? raw;
}

export function isCanonicalType(type: string): type is CanonicalType {
  return canonicalTypes.has(type);
}

/** What a metric or an audit entry may say of a type: custom labels are free text, without number and possibly personal. */
export function typeLabel(type: string): CanonicalType | 'custom' | typeof UNKNOWN_TYPE {
  if (isCanonicalType(type)) return type;
  return type === UNKNOWN_TYPE ? UNKNOWN_TYPE : 'custom';
}
