import { canonicalType } from '../events/names.ts';
import { parseTimestamp } from '../events/parse-timestamp.ts';
import { DAILY_COUNTS, type DailyAnalytics, type DailyCount, type JsonObject } from './shapes.ts';

/** What a campaign has had on a day; counts left out are 0. */
export type DailySeed = { readonly date: string; readonly campaign_id: string } & Partial<
  Readonly<Record<DailyCount, number>>
>;

interface Cell {
  readonly date: string;
  readonly campaignId: string;
  readonly counts: Record<DailyCount, number>;
  readonly seen: Set<string>;
}

/** [every one, once for a lead] */
const COUNTED: Readonly<Record<string, readonly [DailyCount, DailyCount]>> = {
  email_sent: ['sent', 'contacted'],
  email_opened: ['opened', 'unique_opened'],
  reply_received: ['replies', 'unique_replies'],
  auto_reply_received: ['replies_automatic', 'unique_replies_automatic'],
  email_link_clicked: ['clicks', 'unique_clicks'],
  lead_interested: ['opportunities', 'unique_opportunities'],
};

const MAX_CELLS = 10_000;
/** Beyond it each of a cell's events counts as that of another lead. */
const MAX_SEEN = 100_000;

/** What happened, by day and campaign, whether or not a webhook told of it. */
export class Analytics {
  readonly #cells = new Map<string, Cell>();

  seed({ date, campaign_id: campaignId, ...counts }: DailySeed): void {
    const cell = this.#cell(date, campaignId);
    for (const name of DAILY_COUNTS) cell.counts[name] += counts[name] ?? 0;
  }

  /** @param now epoch milliseconds, for a payload that does not say when */
  count(payload: JsonObject, now: number): void {
    const { event_type: type, campaign_id: campaignId, lead_email: lead, timestamp } = payload;
    if (typeof type !== 'string' || typeof campaignId !== 'string') return;
    const names = COUNTED[canonicalType(type)];
    if (names === undefined) return;
    const time = (typeof timestamp === 'string' ? parseTimestamp(timestamp) : null) ?? now;
    const cell = this.#cell(new Date(time).toISOString().slice(0, 10), campaignId);
    const [every, unique] = names;
    cell.counts[every] += 1;
    if (this.#isNew(cell, `${every} ${String(lead)}`)) cell.counts[unique] += 1;
    if (every === 'sent' && payload['is_first'] === true) cell.counts.new_leads_contacted += 1;
  }

  /** @param from @param until epoch milliseconds; a day is in where it begins (UTC) between them: one that begins with the end is not */
  list(campaignId: string | undefined, from: number, until: number): DailyAnalytics[] {
    const days = new Map<string, Record<DailyCount, number>>();
    for (const cell of this.#cells.values()) {
      const midnight = Date.parse(`${cell.date}T00:00:00Z`);
      if (midnight < from || midnight >= until) continue;
      if (campaignId !== undefined && cell.campaignId !== campaignId.toLowerCase()) continue;
      const day = days.get(cell.date) ?? noCounts();
      for (const name of DAILY_COUNTS) day[name] += cell.counts[name];
      days.set(cell.date, day);
    }
    return [...days].sort(([one], [other]) => (one < other ? -1 : 1)).map(([date, counts]) => ({ date, ...counts }));
  }

  #cell(date: string, campaign: string): Cell {
    const campaignId = campaign.toLowerCase();
    const key = `${date} ${campaignId}`;
    const found = this.#cells.get(key);
    if (found !== undefined) return found;
    const [oldest] = this.#cells.keys();
    if (this.#cells.size >= MAX_CELLS && oldest !== undefined) this.#cells.delete(oldest);
    const cell: Cell = { date, campaignId, counts: noCounts(), seen: new Set() };
    this.#cells.set(key, cell);
    return cell;
  }

  #isNew({ seen }: Cell, key: string): boolean {
    if (seen.has(key)) return false;
    if (seen.size < MAX_SEEN) seen.add(key);
    return true;
  }
}

function noCounts(): Record<DailyCount, number> {
  return {
    sent: 0,
    contacted: 0,
    new_leads_contacted: 0,
    opened: 0,
    unique_opened: 0,
    replies: 0,
    unique_replies: 0,
    replies_automatic: 0,
    unique_replies_automatic: 0,
    clicks: 0,
    unique_clicks: 0,
    opportunities: 0,
    unique_opportunities: 0,
  };
}
