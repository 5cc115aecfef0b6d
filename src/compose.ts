import type { Server } from 'node:http';
import type { Logger } from 'pino';
import { draft } from './audit/make-draft.ts';
import { newId } from './audit/new-id.ts';
import { composeDispatcher, composeHandlers, type Handlers, loadStrictly } from './compose-handlers.ts';
import { composeHttp, type Http } from './compose-http.ts';
import { composeMetrics, countTamperings, type Metrics } from './compose-metrics.ts';
import { composeSecrets, type LiveSecrets } from './compose-secrets.ts';
import { RegistrationWatch } from './compose-watch.ts';
import type { Settings } from './config/settings.ts';
import type { Dispatcher } from './dispatch/dispatcher.ts';
import { BufferBudget } from './http/buffer-budget.ts';
import { logCounted } from './http/log-requests.ts';
import { OpenRequests } from './http/open-requests.ts';
import { Readiness } from './http/readiness.ts';
import { Inbox } from './inbox/accept.ts';
import { AuditTrail } from './inbox/audit-trail.ts';
import { BodyInterpreter } from './inbox/body-interpreter.ts';
import { GroupCommit } from './inbox/group-commit.ts';
import { SET_APART } from './inbox/keep-otherwise.ts';
import { Retention } from './inbox/retention.ts';
import type { Store } from './inbox/store.ts';
import { watchDisk } from './inbox/watch-disk.ts';
import type { ServingStore } from './open-store.ts';
import { RouteSource } from './route-source.ts';

/** Requests waiting for a commit at the most; at ten thousand a second that is the work of half a second. */
const MAX_QUEUED = 5_000;
const MAX_BATCH = 500;
/** Reasons of one outage that are logged. */
const MAX_REASONS = 20;

/** Everything wired, nothing started. */
export interface Receiver {
  readonly server: Server;
  readonly interruptAll: Http['interruptAll'];
  readonly store: Store;
  readonly commits: GroupCommit;
  readonly bodies: BodyInterpreter;
  readonly trail: AuditTrail;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  readonly retention: Retention;
  readonly secrets: LiveSecrets;
  readonly watch: RegistrationWatch;
  /** `undefined` where this process only receives. */
  readonly dispatcher: Dispatcher | undefined;
  readonly handlers: Handlers;
  /** From now on answers end their connections and /readyz says no. */
  stopAccepting(): void;
  /** Ends the periodic looks. */
  stopWatching(): void;
}

export interface ComposeParts {
  readonly settings: Settings;
  readonly logger: Logger;
  /** Reads the settings anew, for a reload. */
  readonly load: () => Settings;
  /** Closed again where the rest cannot be made. */
  readonly opening: Promise<ServingStore>;
}

export async function compose({ settings, logger, load, opening }: ComposeParts): Promise<Receiver> {
  const [serving, strict] = await openBoth(opening, loadStrictly(settings));
  const { store } = serving;
  const owner = newId();
  const handlers = await composeHandlers(settings, store, logger, strict).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  const open = new OpenRequests();
  const budget = new BufferBudget(settings.http, settings.authentication.tokens.length > 0, open);
  const metrics = composeMetrics(serving, () => budget.used, handlers.faulty, logger);
  const { trail, commits } = composeCommits(settings, serving, metrics, logger, () => dispatcher?.wake());
  const dispatcher =
    settings.role === 'receiver'
      ? undefined
      : composeDispatcher({ settings, store, metrics, logger, commits, handlers, owner });
  const routes = new RouteSource({ store, own: handlers.routes, follow: settings.role === 'receiver', logger });
  const bodies = composeBodies(settings, logger);
  const inbox = new Inbox({
    commits,
    handlers: () => routes.routes,
    retentionMs: settings.retentionMs,
    maxEventAgeMs: settings.maxEventAgeMs,
    interpret: (bytes, charset) => bodies.interpret(bytes, charset),
  });
  const readiness = new Readiness(store, {
    orphaned: metrics.orphaned,
    faultyHandlerFiles: async () => handlers.faulty(),
    retiredTokensInSettings: async () => secrets.tokens?.replaced.length ?? 0,
    doubtfulTokens: async () => secrets.tokens?.doubtful.length ?? 0,
    auditTampered: countTamperings(store, metrics, logger),
    oldSecrets: () => secrets.details.oldSecrets(),
    excessScopes: () => secrets.details.excessScopes(),
  });
  const retention = composeRetention(settings, store, logger, owner);
  const secrets = await composeSecrets({ settings, load, owner, store, trail, metrics, logger });
  const watch = await RegistrationWatch.create({ ...secrets, owner, store, inbox, bodies, trail, metrics, logger });
  let stopping = false;
  const { server, interruptAll, endConnections } = composeHttp({
    settings,
    logger,
    metrics,
    inbox,
    trail,
    open,
    budget,
    readiness,
    isStopping: () => stopping,
    tokens: secrets.tokens,
    registration: () => watch.registration,
    readMetricsToken: secrets.readMetricsToken,
  });
  const disk = watchDisk(settings.dataDir, settings.minFreeDiskBytes, (isLow, freeBytes) => {
    trail.setCountOnly(isLow);
    logger.warn(
      { freeBytes },
      isLow ? 'little disk space is left: only authentic requests are written' : 'disk space is back',
    );
  });
  return {
    server,
    store,
    commits,
    bodies,
    trail,
    metrics,
    readiness,
    retention,
    secrets,
    watch,
    dispatcher,
    handlers,
    interruptAll: (problem) => {
      interruptAll(problem);
      void bodies.close();
    },
    stopAccepting: () => {
      stopping = true;
      endConnections();
      readiness.stop();
    },
    stopWatching: () => {
      disk.stop();
      retention.stop();
      routes.stop();
      handlers.stop();
    },
  };
}

/** Side by side; where the handlers cannot be used, the store is closed again. */
async function openBoth<Second>(
  opening: Promise<ServingStore>,
  loading: Promise<Second>,
): Promise<[ServingStore, Second]> {
  const [serving, second] = await Promise.allSettled([opening, loading]);
  if (serving.status === 'rejected') throw serving.reason;
  if (second.status === 'fulfilled') return [serving.value, second.value];
  await serving.value.store.close();
  throw second.reason;
}

/** The trail hands its entries to the commits, and the commits tell it how they went. */
function composeCommits(
  settings: Settings,
  { store, maxInFlight }: ServingStore,
  metrics: Metrics,
  logger: Logger,
  onPending: () => void,
) {
  const trail: AuditTrail = new AuditTrail({
    anonymousPerMinute: settings.audit.anonymousPerMinute,
    nudge: () => commits.nudge(),
    onEntry: (result) => metrics.events.auditEntries.inc({ result }),
    onCounted: (sum) => logCounted(logger, sum),
  });
  const log = outageLog(logger);
  const commits: GroupCommit = new GroupCommit({
    store,
    maxQueued: MAX_QUEUED,
    maxBatch: MAX_BATCH,
    maxInFlight,
    takeAudits: () => trail.take(),
    lostAudits: (drafts) => trail.lost(drafts),
    onCommit: ({ seconds, size, result }) => {
      if (result.pending > 0) onPending();
      metrics.events.commitDuration.observe(seconds);
      metrics.events.commitBatchSize.observe(size);
      trail.storeIsBack();
      log.succeeded();
    },
    onSetApart: (row, err) => logger.error({ ...row, err }, SET_APART[row.kind]),
    onFailure: (error) => {
      metrics.events.commitFailures.inc();
      log.failed(error);
    },
  });
  return { trail, commits };
}

/** Tells of an outage when it begins, with each new reason and when it is over: senders who try again, strangers among them,
 * fail hundreds of commits a second, and a full disk may be the one that keeps the log. */
function outageLog(logger: Logger): { failed: (error: unknown) => void; succeeded: () => void } {
  let failures = 0;
  const reasons = new Set<string>();
  return {
    failed: (error) => {
      failures += 1;
      const message = error instanceof Error ? error.message : String(error);
      if (reasons.has(message) || reasons.size >= MAX_REASONS) return;
      reasons.add(message);
      logger.error({ err: error }, 'a commit failed: its senders were answered 503, outcomes are tried again');
    },
    succeeded: () => {
      if (failures > 0) logger.warn({ failures }, 'commits succeed again');
      failures = 0;
      reasons.clear();
    },
  };
}

function composeBodies({ http }: Settings, logger: Logger): BodyInterpreter {
  return new BodyInterpreter({
    bodyLimitBytes: http.bodyLimitBytes,
    onSalvaged: (reason) =>
      logger.error(
        { reason },
        'a large body was stored without being read completely: a retry of it counts as a new event',
      ),
  });
}

function composeRetention(settings: Settings, store: Store, logger: Logger, owner: string): Retention {
  return new Retention({
    store,
    owner,
    eventsMs: settings.retentionMs,
    auditMs: settings.audit.retentionMs,
    anonymousMs: settings.audit.anonymousRetentionMs,
    onPruned: (sum) => logger.info(sum, 'pruned what has outlived its time'),
    onFailure: (error) => logger.warn({ err: error }, 'pruning failed; it is tried again'),
  });
}

export function serviceDraft(action: string, metadata: Parameters<typeof draft>[0]['metadata'] = {}) {
  return draft({ action, userId: 'service', resource: 'service', result: 'success', metadata, at: Date.now() });
}
