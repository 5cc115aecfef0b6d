import type { CanonicalType } from './names.ts';

/** A payload as Instantly sends it. */
export type SamplePayload = Readonly<Record<string, string | number | boolean>>;

const WORKSPACE = 'b8a3f6d1-2c47-4f0e-9a6b-71d05e3c9f24';

const campaign = {
  workspace: WORKSPACE,
  campaign_id: '01993c5e-7b12-7a40-9d3f-5e8c21b7a604',
  campaign_name: 'Workshop owners, spring',
};

const lead = {
  lead_email: 'marta.oliveira@fjordtools.example',
  email_account: 'jonas@mail-brightloom.example',
};

const firstStep = { step: 1, variant: 1, is_first: true };

function labelled(timestamp: string, eventType: string): SamplePayload {
  return { timestamp, event_type: eventType, ...campaign, ...lead };
}

/** One payload of each type by its canonical name, and one with a custom label. */
export const SAMPLES: Readonly<Record<CanonicalType | 'custom_label', SamplePayload>> = {
  email_sent: {
    timestamp: '2026-09-07T07:31:05.412Z',
    event_type: 'email_sent',
    ...campaign,
    ...lead,
    ...firstStep,
    email_id: '01993c60-0a4e-7000-8000-0000000000a1',
    email_subject: 'Quieter benches for {{companyName}}?',
    email_text: 'Hello Marta,\n\nyour photographs of the new shop floor made me curious ...\n\nJonas',
    email_html:
      '<p>Hello Marta,</p><p>your photographs of the new shop floor made me curious ...</p><p class="sign">Jonas</p>',
    firstName: 'Marta',
    companyName: 'Fjord Tools',
  },
  email_opened: {
    timestamp: '2026-09-07T08:12:44.000Z',
    event_type: 'email_opened',
    ...campaign,
    ...lead,
    ...firstStep,
  },
  // Instantly's own name for what a subscription calls email_link_clicked.
  email_link_clicked: {
    timestamp: '2026-09-07T08:13:20.377Z',
    event_type: 'link_clicked',
    ...campaign,
    ...lead,
    ...firstStep,
  },
  reply_received: {
    timestamp: '2026-09-07T13:02:18.930Z',
    event_type: 'reply_received',
    ...campaign,
    ...lead,
    unibox_url: 'https://app.instantly.ai/app/unibox?thread_search=marta.oliveira@fjordtools.example',
    ...firstStep,
    email_id: '01993d8e-5c91-7000-8000-0000000000b2',
    reply_subject: 'Re: Quieter benches for Fjord Tools?',
    reply_text_snippet: 'Curious indeed – what would twelve of them cost?',
    reply_text: 'Curious indeed – what would twelve of them cost?\n\nMarta\n\n> Hello Marta, ...',
    reply_html:
      '<div dir="ltr">Curious indeed – what would twelve of them cost?</div><div>Marta</div><blockquote>Hello Marta, ...</blockquote>',
  },
  auto_reply_received: {
    timestamp: '2026-09-07T07:31:52.008Z',
    event_type: 'auto_reply_received',
    ...campaign,
    lead_email: 'pavel.novak@lathe-house.example',
    email_account: lead.email_account,
    ...firstStep,
    email_id: '01993c60-b1f0-7000-8000-0000000000c3',
    reply_subject: 'Away from my desk',
    reply_text_snippet: 'Thank you for your message. I am back on',
    reply_text: 'Thank you for your message. I am back on 21 September.',
  },
  email_bounced: {
    timestamp: '2026-09-07T07:32:30.000Z',
    event_type: 'email_bounced',
    ...campaign,
    lead_email: 'info@moved-away.example',
    email_account: lead.email_account,
    ...firstStep,
  },
  lead_unsubscribed: {
    timestamp: '2026-09-08T06:45:00.000Z',
    event_type: 'lead_unsubscribed',
    ...campaign,
    lead_email: 'no-more@quietworks.example',
    email_account: lead.email_account,
    step: 3,
    variant: 2,
  },
  account_error: {
    timestamp: '2026-09-08T02:10:00.000Z',
    event_type: 'account_error',
    ...campaign,
    email_account: lead.email_account,
  },
  campaign_completed: { timestamp: '2026-09-30T16:00:00.000Z', event_type: 'campaign_completed', ...campaign },
  lead_neutral: labelled('2026-09-09T09:00:00.000Z', 'lead_neutral'),
  lead_interested: labelled('2026-09-09T09:05:00.000Z', 'lead_interested'),
  lead_not_interested: labelled('2026-09-09T09:10:00.000Z', 'lead_not_interested'),
  lead_meeting_booked: labelled('2026-09-09T09:15:00.000Z', 'lead_meeting_booked'),
  lead_meeting_completed: labelled('2026-09-09T09:20:00.000Z', 'lead_meeting_completed'),
  lead_closed: labelled('2026-09-09T09:25:00.000Z', 'lead_closed'),
  lead_out_of_office: labelled('2026-09-09T09:30:00.000Z', 'lead_out_of_office'),
  lead_wrong_person: labelled('2026-09-09T09:35:00.000Z', 'lead_wrong_person'),
  lead_no_show: labelled('2026-09-09T09:40:00.000Z', 'lead_no_show'),
  supersearch_enrichment_completed: {
    timestamp: '2026-09-10T11:20:00.000Z',
    event_type: 'supersearch_enrichment_completed',
    workspace: WORKSPACE,
  },
  custom_label: labelled('2026-09-09T09:45:00.000Z', 'Wants a catalogue'),
};
