import { verifyStore } from '../audit-verify.ts';
import { count } from '../print.ts';
import { type Check, fail, type Line, ok, Skipped, type Status, warn } from './check.ts';
import { deployment, openedOf, settingsOf } from './context.ts';

/** One line of docs/security-checklist.md or docs/production-checklist.md, which a test holds to these. */
interface Item {
  readonly text: string;
  /** What proves it. */
  readonly command: string;
  /** The checks whose lines say whether it holds; none: it is looked at by hand. */
  readonly checks: readonly string[];
}

export type State = 'holds' | 'fails' | 'unknown' | 'by-hand';

export interface FilledItem {
  readonly list: ListName;
  readonly item: string;
  readonly command: string;
  readonly state: State;
  /** What was found, each with its fix, where it does not hold or is unknown. */
  readonly lines: readonly Line[];
}

export const LISTS = {
  security: [
    {
      text: 'No secret is in a tracked file, nor in the history of git',
      command: 'secrets scan',
      checks: ['secrets scan'],
    },
    { text: '`.env` is out of git and closed to other users', command: 'doctor', checks: ['.env'] },
    { text: 'No secret can be guessed, and no two are the same', command: 'doctor', checks: ['secrets'] },
    { text: 'A delivery with a wrong token is refused at PUBLIC_URL', command: 'doctor', checks: ['public url'] },
    { text: 'Each API key may do what this environment needs, and no more', command: 'doctor', checks: ['api keys'] },
    { text: 'No secret is older than SECRET_MAX_AGE_DAYS', command: 'doctor', checks: ['secret age'] },
    {
      text: 'Instantly sends a token that is in force, and no replaced one is left in the settings',
      command: 'doctor',
      checks: ['rotation', 'registration'],
    },
    {
      text: 'Other users can neither write handlers nor read data and secrets',
      command: 'doctor',
      checks: ['settings'],
    },
    {
      text: '/metrics asks for a token, or answers this machine alone',
      command: 'doctor --checklist',
      checks: ['metrics'],
    },
    {
      text: 'The audit log is sealed with the key at hand, and holds',
      command: 'audit verify',
      checks: ['audit log', 'audit entries'],
    },
    {
      text: 'AUDIT_KEY and the heads of the audit log are kept where the store is not',
      command: 'audit verify --anchor FILE',
      checks: [],
    },
    {
      text: 'What was done to webhooks and API keys at Instantly was done by us',
      command: 'audit correlate',
      checks: [],
    },
  ],
  production: [
    {
      text: 'It runs as production, with settings that can all be used',
      command: 'doctor --checklist',
      checks: ['environment', 'settings'],
    },
    {
      text: 'Events are stored where they can be written, with room to spare',
      command: 'doctor',
      checks: ['store', 'disk', 'spill'],
    },
    {
      text: 'PUBLIC_URL leads here over https, with a certificate that holds',
      command: 'doctor',
      checks: ['public url'],
    },
    {
      text: 'The webhook is registered, active and watched',
      command: 'doctor',
      checks: ['instantly', 'registration', 'watch'],
    },
    { text: 'Every process that runs handlers is alive', command: 'doctor', checks: ['receivers'] },
    { text: 'No delivery is dead or orphaned', command: 'dead list', checks: ['deliveries'] },
    { text: 'No body waits in quarantine', command: 'quarantine list', checks: ['quarantine'] },
    { text: 'Events have arrived', command: 'events list', checks: ['events'] },
    { text: 'The clock is right', command: 'doctor', checks: ['clock'] },
    {
      text: 'Prometheus scrapes /metrics, and its alerts reach a person',
      command: 'audit export --action metrics.scrape',
      checks: [],
    },
    { text: 'The log on stdout is kept where the machine is not', command: 'audit tail', checks: [] },
    { text: 'A backup was made, and restored once to see that it works', command: 'backup FILE', checks: [] },
    { text: 'A kill under load loses nothing', command: 'send --count 1000 --rate 50', checks: [] },
    { text: 'A rotation was rehearsed', command: 'secrets rotate', checks: [] },
    { text: 'The platform gives it 10 s after SIGTERM', command: 'audit export --action service.stop', checks: [] },
  ],
} as const satisfies Readonly<Record<string, readonly Item[]>>;

export type ListName = keyof typeof LISTS;

/** The lists with what the checks have found. */
export function fillIn(lines: readonly Line[]): FilledItem[] {
  return (Object.keys(LISTS) as ListName[]).flatMap((list) =>
    LISTS[list].map(({ text, command, checks }: Item) => {
      const about = lines.filter(({ check }) => checks.includes(check));
      const state = stateOf(about);
      return { list, item: text, command, state, lines: state === 'holds' ? [] : about.filter(isOpen) };
    }),
  );
}

function stateOf(lines: readonly Line[]): State {
  if (lines.length === 0) return 'by-hand';
  const has = (...statuses: Status[]) => lines.some(({ status }) => statuses.includes(status));
  if (has('fail', 'warn')) return 'fails';
  return has('skip') ? 'unknown' : 'holds';
}

function isOpen({ status }: Line): boolean {
  return status !== 'ok';
}

const LIMIT_MS = 20_000;

const environmentCheck: Check = {
  name: 'environment',
  needs: [],
  run: (context) => {
    const found = deployment(context);
    return [found === 'production' ? ok('production') : warn(found, 'set NODE_ENV=production where it serves')];
  },
};

const metricsCheck: Check = {
  name: 'metrics',
  needs: ['METRICS_TOKEN', 'METRICS_ALLOW'],
  run: (context) => {
    const { metricsToken, metricsAllow } = settingsOf(context);
    if (metricsToken !== undefined) return [ok('METRICS_TOKEN is set')];
    const others = metricsAllow.text;
    return [others === 'loopback' ? ok('this machine alone') : warn(`${others} without a token`, 'set METRICS_TOKEN')];
  },
};

/** Reads the whole log: too long for each run of the command. */
const entriesCheck: Check = {
  name: 'audit entries',
  needs: ['DATABASE_URL', 'AUDIT_KEY'],
  run: async (context, signal) => {
    const { store, keyFault } = openedOf(context);
    if (keyFault !== null)
      throw new Skipped('AUDIT_KEY is not the key that seals it', 'fix what the line "audit log" names');
    const limit = AbortSignal.timeout(LIMIT_MS);
    try {
      const verdict = await verifyStore(store, settingsOf(context), AbortSignal.any([signal, limit]));
      return [
        verdict.ok
          ? ok(`all ${count(verdict.entries, 'entry', 'entries')} hold`)
          : fail(verdict.fault.detail, '"audit verify" names the place; find out who could write to the store'),
      ];
    } catch (error) {
      if (signal.aborted || !limit.aborted) throw error;
      throw new Skipped(`it takes longer than ${LIMIT_MS / 1_000} s here`, 'run "audit verify", which has the time');
    }
  },
};

/** What the lists ask beside what `doctor` always looks at. */
export const CHECKLIST_CHECKS: readonly Check[] = [environmentCheck, metricsCheck, entriesCheck];
