import type { CanonicalType } from './names.ts';

/*
 * What Instantly's webhook guide says payloads hold. Nothing of it is promised and nothing is checked on the way in, so
 * everything may be absent; and the workspace's lead variables lie among these keys, reachable as `unknown`.
 */

export interface CommonPayload {
  /** ISO 8601. */
  readonly timestamp?: string;
  /** As Instantly names it; the event's `type` is the canonical name. */
  readonly event_type?: string;
  /** UUID. */
  readonly workspace?: string;
  /** UUID. */
  readonly campaign_id?: string;
  readonly campaign_name?: string;
  readonly [key: string]: unknown;
}

export interface AccountPayload extends CommonPayload {
  /** The sending mailbox. */
  readonly email_account?: string;
}

export interface LeadPayload extends AccountPayload {
  readonly lead_email?: string;
  /** The conversation in Instantly's inbox. */
  readonly unibox_url?: string;
  /** Of the campaign's sequence, from 1. */
  readonly step?: number;
  /** Of the step, from 1. */
  readonly variant?: number;
  /** Whether it is the first event of its type for this lead. */
  readonly is_first?: boolean;
}

export interface EmailPayload extends LeadPayload {
  /** UUID; the reply endpoint takes it as `reply_to_uuid`. */
  readonly email_id?: string;
  readonly email_subject?: string;
  readonly email_text?: string;
  readonly email_html?: string;
}

export interface ReplyPayload extends EmailPayload {
  readonly reply_subject?: string;
  readonly reply_text_snippet?: string;
  readonly reply_text?: string;
  /** May hold inline images and be megabytes long. */
  readonly reply_html?: string;
}

/** A payload without an `event_type` that can be read. */
export interface UnknownPayload {
  readonly [key: string]: unknown;
}

interface Payloads {
  email_sent: EmailPayload;
  email_opened: EmailPayload;
  email_link_clicked: EmailPayload;
  reply_received: ReplyPayload;
  auto_reply_received: ReplyPayload;
  email_bounced: EmailPayload;
  lead_unsubscribed: EmailPayload;
  account_error: AccountPayload;
  campaign_completed: CommonPayload;
  lead_neutral: LeadPayload;
  lead_interested: LeadPayload;
  lead_not_interested: LeadPayload;
  lead_meeting_booked: LeadPayload;
  lead_meeting_completed: LeadPayload;
  lead_closed: LeadPayload;
  lead_out_of_office: LeadPayload;
  lead_wrong_person: LeadPayload;
  lead_no_show: LeadPayload;
  supersearch_enrichment_completed: CommonPayload;
}

export type PayloadOf<T extends CanonicalType> = Payloads[T];
