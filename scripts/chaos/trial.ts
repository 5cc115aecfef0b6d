import { type Account, settleAccount } from './account.ts';
import { Load, type Tally } from './load.ts';
import type { SeededRandom } from './seeded-random.ts';
import { type Ground, Site, type SiteOptions, type Surroundings } from './site.ts';

/** Events a second. */
const RATE = 200;
const QUICK_RATE = 80;
/** Milliseconds in which every event is answered 200 once the disturbance is over. */
const SERVES_WITHIN_MS = 30_000;

export interface Trial {
  readonly name: string;
  /** In a few words. */
  readonly what: string;
  /** `undefined` where this machine does not let this user try it. */
  run(choices: Choices): Promise<Report | undefined>;
}

export interface Choices {
  readonly random: SeededRandom;
  /** Few rounds, for a run that has to be short. */
  readonly quick: boolean;
}

export interface Report {
  readonly disturbances: string;
  readonly tally: Tally;
  readonly account: Account;
}

/** What a disturbance has at hand. */
export interface Scene<Around extends Surroundings = Surroundings> extends Choices {
  readonly site: Site<Around>;
  readonly load: Load;
}

export interface Disturbance<Around extends Surroundings> {
  readonly options?: SiteOptions;
  prepare(ground: Ground): Promise<Around>;
  /** Whether senders may be refused: never, or it is the point of the trial. */
  readonly refusals: 'none' | 'some';
  /** Says what it did. */
  disturb(scene: Scene<Around>): Promise<string>;
}

/** Where the services need nothing around them. */
export const nothing = async (): Promise<Surroundings> => ({});

/** Disturbs under load, lets everything come to rest, stops all processes and settles the account. */
export async function tryUnderLoad<Around extends Surroundings>(
  { options, prepare, refusals, disturb }: Disturbance<Around>,
  choices: Choices,
): Promise<Report> {
  const site = await Site.open(prepare, options);
  const load = new Load(site.ports, choices.quick ? QUICK_RATE : RATE);
  try {
    const disturbances = await disturb({ ...choices, site, load });
    await load.end(SERVES_WITHIN_MS);
    return { disturbances, tally: load.tally, account: await concludeTrial(site, load, refusals) };
  } finally {
    await load.giveUp();
    await site.close();
  }
}

/** Waits for the end of all work, stops every process, and holds what was answered against what is there. */
export async function concludeTrial(
  site: Site,
  load: Pick<Load, 'events' | 'tally'>,
  refusals: 'none' | 'some',
): Promise<Account> {
  const faults = judgeRefusals(load.tally, refusals);
  try {
    await site.quiet();
    await Promise.all(site.services.map((service) => service.stop()));
  } catch (error) {
    // What is missing is told all the same.
    faults.push(error instanceof Error ? error.message : String(error));
    await site.killServices();
  }
  const account = await settleAccount(site, load.events);
  return { ...account, faults: [...faults, ...account.faults] };
}

function judgeRefusals({ refused, silent }: Tally, allowed: 'none' | 'some'): string[] {
  const others = [...refused.keys()].filter((status) => status !== 503);
  return [
    ...(allowed === 'none' && refused.size > 0 ? ['authentic senders were refused'] : []),
    ...(allowed === 'some' && !refused.has(503) ? ['nobody was refused, so nothing was tried'] : []),
    ...(allowed === 'some' && others.length > 0 ? [`refused with ${others.join(', ')}`] : []),
    ...(silent > 0 ? [`${silent} answers did not come`] : []),
  ];
}
