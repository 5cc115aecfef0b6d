import { NewestList } from './newest-list.ts';
import type { WebhookEvent } from './shapes.ts';

/** What a later attempt may change of an earlier one's entry. */
export type LogEntry = WebhookEvent & {
  will_retry: boolean;
  timestamp_next_retry: string | null;
  retry_successful: boolean | null;
};

export interface LogFilter {
  readonly success?: boolean | undefined;
  /** YYYY-MM-DD, inclusive, UTC. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** A webhook's URL or a lead's address, exactly. */
  readonly search?: string | undefined;
}

export interface Summary {
  readonly total_events: number;
  readonly successful_events: number;
  readonly failed_events: number;
  /** 0 to 100. */
  readonly success_rate: number;
}

/** Every attempt, the newest of them. */
export class DeliveryLog {
  readonly #entries: NewestList<LogEntry>;
  readonly #byId = new Map<string, LogEntry>();

  constructor(limit: number, byteLimit: number) {
    this.#entries = new NewestList(limit, byteLimit, ({ id }) => this.#byId.delete(id));
  }

  /** @param bytes of its payload */
  add(entry: LogEntry, bytes: number): void {
    this.#byId.set(entry.id, entry);
    this.#entries.add(entry, bytes);
  }

  find(id: string): WebhookEvent | undefined {
    return this.#byId.get(id.toLowerCase());
  }

  *newestFirst({ success, from, to, search }: LogFilter = {}): Generator<WebhookEvent> {
    for (const entry of this.#entries.newestFirst()) {
      if (success !== undefined && entry.success !== success) continue;
      if (from !== undefined && entry.timestamp_created_date < from) continue;
      if (to !== undefined && entry.timestamp_created_date > to) continue;
      if (search !== undefined && entry.webhook_url !== search && entry.lead_email !== search) continue;
      yield entry;
    }
  }

  summarise(filter: LogFilter): Summary {
    return summarise(this.newestFirst(filter));
  }

  /** By day, the first day first. */
  summariseByDate(filter: LogFilter): (Summary & { readonly date: string })[] {
    const days = Map.groupBy(this.newestFirst(filter), (entry) => entry.timestamp_created_date);
    return [...days]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([date, entries]) => ({ date, ...summarise(entries) }));
  }
}

function summarise(entries: Iterable<WebhookEvent>): Summary {
  let total = 0;
  let successful = 0;
  for (const { success } of entries) {
    total += 1;
    if (success) successful += 1;
  }
  return {
    total_events: total,
    successful_events: successful,
    failed_events: total - successful,
    success_rate: percentage(successful, total),
  };
}

/** 0 where there is nothing to count. */
export function percentage(part: number, total: number): number {
  return total === 0 ? 0 : Math.round((part / total) * 10_000) / 100;
}
