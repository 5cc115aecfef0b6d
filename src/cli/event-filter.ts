import { type Command, Option } from 'commander';
import { typeLabel } from '../events/names.ts';
import type { DeliveryState, EventFilter } from '../inbox/store.ts';
import { resolveType } from './known-names.ts';
import type { ReadableStore } from './open-store.ts';
import { choiceOption, sinceOption, untilOption } from './options.ts';
import { isoTime } from './print.ts';

const STATES = ['pending', 'running', 'done', 'dead', 'discarded'] as const satisfies readonly DeliveryState[];

export interface FilterOptions {
  readonly type?: string;
  readonly lead?: string;
  readonly campaign?: string;
  readonly since?: number;
  readonly until?: number;
  readonly state?: DeliveryState;
}

export type Conditions = Omit<EventFilter, 'limit' | 'ids'>;

export function addFilterOptions(command: Command): Command {
  return command
    .addOption(new Option('--type <type>', 'of this type, by either of its names, or a custom label'))
    .addOption(new Option('--lead <address>', 'of this lead'))
    .addOption(new Option('--campaign <id>', 'of this campaign'))
    .addOption(sinceOption())
    .addOption(untilOption())
    .addOption(choiceOption('--state <state>', 'with a delivery in this state', STATES));
}

/** What the options ask for; `resolveFilter` makes of it what a store is asked. */
export function readFilter(options: FilterOptions): Conditions {
  const { type, lead, campaign, since, until, state } = options;
  return {
    ...(type === undefined ? {} : { type }),
    ...(lead === undefined ? {} : { lead: lead.trim().toLowerCase() }),
    ...(campaign === undefined ? {} : { campaign: campaign.trim() }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(state === undefined ? {} : { state }),
  };
}

/**
 * In the forms under which events are stored.
 *
 * @throws WrongUsage where it names a type that is not known
 */
export async function resolveFilter(
  store: Pick<ReadableStore, 'listEvents' | 'registeredHandlers'>,
  filter: Conditions,
): Promise<Conditions> {
  return filter.type === undefined ? filter : { ...filter, type: await resolveType(store, filter.type) };
}

/** What an audit entry may say of a filter: that a lead or a campaign was asked for, not which. */
export function describeFilter(filter: Conditions) {
  const { type, lead, campaign, since, until, state } = filter;
  return {
    eventType: type === undefined ? undefined : typeLabel(type),
    byLead: lead === undefined ? undefined : true,
    byCampaign: campaign === undefined ? undefined : true,
    since: since === undefined ? undefined : isoTime(since),
    until: until === undefined ? undefined : isoTime(until),
    state,
  };
}
