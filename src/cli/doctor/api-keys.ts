import type { ApiKey, KeyInUse, Settings } from '../../config/settings.ts';
import { InstantlyApiError, KEYS_PAGE, lacksScope } from '../../instantly/api-error.ts';
import { type IdentifiedKey, identifyKey } from '../../instantly/identify-key.ts';
import { adviseKey, type Deployment, excessScopes, judgeScopes, rightScopes } from '../../instantly/judge-scopes.ts';
import { readReplacedKeys } from '../../instantly/replaced-keys.ts';
import type { ListedApiKey } from '../../instantly/schemas.ts';
import { findUnused, readScopeUse, type ScopeUse, USE_DAYS } from '../../instantly/scope-use.ts';
import { type Check, type Finding, ok, skip, warn } from './check.ts';
import { type Context, deployment, instantlyOf, isTrial, settingsOf, storeOf } from './context.ts';
import type { InstantlyLook } from './look-at-instantly.ts';
import { probeScopes } from './probe-scopes.ts';
import { failedCall } from './split-fault.ts';

/** Milliseconds for the audit logs. */
const USE_MS = 15_000;

/** Whether each key may do what it is for, and no more. */
export const apiKeysCheck: Check = {
  name: 'api keys',
  needs: ['DATABASE_URL', 'INSTANTLY_API_URL', 'INSTANTLY_API_KEY', 'INSTANTLY_READ_KEY', 'INSTANTLY_WRITE_KEY'],
  run: async (context, signal) => {
    const settings = settingsOf(context);
    const instantly = instantlyOf(context);
    await instantly.reach();
    if (isTrial(context)) return [ok('they are of a fake Instantly on this machine, and open no real workspace')];
    const findings: Finding[] = [];
    const listed = await list(instantly, findings);
    let use: Promise<ScopeUse | undefined> | undefined;
    for (const used of settings.instantly.keys) {
      const identified = identifyKey(listed, used.key.secret);
      if (identified !== undefined) {
        findings.push(...judge(used, identified, settings, deployment(context)));
        use ??= readUse(context, signal);
        findings.push(...judgeUse(used, identified, deployment(context), await use));
      } else findings.push(...(await judgeUnknown(used, instantly, context, signal)));
    }
    findings.push(...(await findReplaced(listed, context)));
    if (settings.instantly.writeKey === undefined) findings.push(withoutWriting(deployment(context)));
    return findings;
  },
};

/** Keys that a rotation has replaced and Instantly still lists. */
async function findReplaced(listed: readonly ListedApiKey[], context: Context): Promise<Finding[]> {
  const replaced = await Promise.all(
    settingsOf(context).instantly.keys.map(({ key }) => readReplacedKeys(storeOf(context), key.setting)),
  );
  const inUse = settingsOf(context).instantly.keys.map(({ key }) => identifyKey(listed, key.secret)?.entry.id);
  return replaced.flat().flatMap(({ id, setting }) => {
    const entry = listed.find((key) => key.id === id);
    if (entry === undefined || inUse.includes(id)) return [];
    return [
      warn(
        `the key "${entry.name ?? ''}" (${id}), which ${setting} held before, is still valid`,
        `delete it at ${KEYS_PAGE}`,
      ),
    ];
  });
}

async function list(instantly: InstantlyLook, findings: Finding[]): Promise<readonly ListedApiKey[]> {
  try {
    return await instantly.apiKeys();
  } catch (error) {
    const failed = failedCall(error);
    const unread = `${failed.found}, so the scopes of the keys cannot be read`;
    findings.push(lacksScope(error) ? { ...failed, status: 'warn', found: unread } : failed);
    return [];
  }
}

function judge(
  { key: { setting }, purpose }: KeyInUse,
  { entry: { scopes }, by }: IdentifiedKey,
  { instantly: { autoResume } }: Settings,
  where: Deployment,
): Finding[] {
  if (!scopes)
    return [warn(`the scopes of the key in ${setting} are not told by Instantly`, `see them at ${KEYS_PAGE}`)];
  const named = `the key in ${setting}${by === 'mask' ? ' (told by the ends of it that Instantly shows)' : ''}`;
  const findings = judgeScopes({ scopes, purpose, deployment: where, autoResume }).map(({ status, found }) => ({
    status,
    found: `${named} ${found}`,
    fix: status === 'ok' ? null : adviseKey(setting, purpose, where),
  }));
  const mayChange = scopes.some((scope) => !scope.endsWith(':read'));
  return purpose === 'both' && mayChange ? [...findings, oneForBoth(setting, where)] : findings;
}

/** @returns `undefined` where it takes too long: a log of years is left to the service */
async function readUse(context: Context, signal: AbortSignal): Promise<ScopeUse | undefined> {
  const { audit } = settingsOf(context);
  const limit = AbortSignal.timeout(USE_MS);
  try {
    return await readScopeUse({
      store: storeOf(context),
      reader: instantlyOf(context).reader,
      auditRetentionMs: audit.retentionMs,
      now: Date.now(),
      pauseMs: 0,
      signal: AbortSignal.any([signal, limit]),
    });
  } catch (error) {
    if (!limit.aborted && !(error instanceof InstantlyApiError)) throw error;
    return undefined;
  }
}

function judgeUse(used: KeyInUse, { entry }: IdentifiedKey, where: Deployment, use: ScopeUse | undefined): Finding[] {
  const { setting } = used.key;
  if (use === undefined) {
    return [
      skip(
        `which scopes the key in ${setting} has used could not be read in time`,
        'see the log of the service, which says it once a week',
      ),
    ];
  }
  if (!entry.scopes) return [];
  const unused = findUnused({ used, id: entry.id, scopes: entry.scopes, deployment: where, use });
  if (unused === undefined) return [];
  const excess = excessScopes({ scopes: entry.scopes, purpose: used.purpose, deployment: where });
  // What is not used in the first days may be used yet, and what may not be held is named already.
  if (!use.isWhole && unused.drop.every((scope) => excess.includes(scope))) return [];
  const found = `the key in ${setting} ${unused.found}`;
  return use.isWhole ? [warn(found, unused.fix)] : [ok(`${found}; ${USE_DAYS} days are needed to tell`)];
}

/** Whoever takes one that only reads can change nothing. */
function oneForBoth(setting: ApiKey['setting'], where: Deployment): Finding {
  const [reading, writing] = [rightScopes('reading', where).join(', '), rightScopes('writing', where).join(', ')];
  const second = writing === '' ? '' : `, and INSTANTLY_WRITE_KEY to one with ${writing}`;
  return warn(
    `the key in ${setting} both reads and writes; two are better`,
    `set INSTANTLY_READ_KEY to a key with ${reading}${second}`,
  );
}

/** What a key lacks can be seen by reading; what it has too much of cannot, nor anything of one that is for writing. */
async function judgeUnknown(
  { key: { setting }, purpose }: KeyInUse,
  { reader }: InstantlyLook,
  context: Context,
  signal: AbortSignal,
): Promise<Finding[]> {
  const where = deployment(context);
  const untold = skip(
    `the key in ${setting} is not to be told from others in Instantly's list, so what else it may do is not known`,
    `see at ${KEYS_PAGE} that it has ${rightScopes(purpose, where).join(', ') || 'nothing that changes anything'} and nothing else`,
  );
  if (purpose === 'writing') return [untold];
  const { lacking, allowed } = await probeScopes(reader, rightScopes('reading', where), signal);
  const findings = lacking.map((scope) =>
    warn(`the key in ${setting} lacks ${scope}, as a read has shown`, adviseKey(setting, purpose, where)),
  );
  if (allowed.length > 0) findings.push(ok(`the key in ${setting} may read (${allowed.join(', ')})`));
  return [...findings, untold];
}

function withoutWriting(where: Deployment): Finding {
  if (where === 'development') return ok('there is none for writing, as is right in development');
  return skip(
    'there is none for writing: a disabled webhook is not resumed, and no command can change the registration',
    `make one at ${KEYS_PAGE} with ${rightScopes('writing', where).join(', ')} and set INSTANTLY_WRITE_KEY to it`,
  );
}
