import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { AUDIT_ACTIONS } from '../audit/actions.ts';
import type { AuditEntry } from '../audit/entry.ts';
import { closestName, sameName } from '../config/suggest-name.ts';
import type { AuditCursor, AuditTail, Store } from '../inbox/store.ts';
import { fillNewFile } from './fill-new-file.ts';
import { didYouMean } from './known-names.ts';
import { commandSettings, operateStore, operatorDraft, recordAction } from './open-store.ts';
import { count, isoTime, note, printJson, toJson } from './print.ts';
import { startProgress } from './progress.ts';
import { WrongUsage } from './wrong-usage.ts';

const PAGE = 2_000;

interface ExportOptions {
  readonly since?: number;
  readonly until?: number;
  readonly action?: string;
  readonly output?: string;
  readonly json?: true;
}

export async function exportAudit(options: ExportOptions): Promise<void> {
  const { output, json } = options;
  const settings = commandSettings();
  if (output === undefined) {
    await operateStore(settings, async (store) =>
      writeEntries(store, process.stdout, await resolveAction(store, options), json === true),
    );
    return;
  }
  const entries = await operateStore(settings, async (store) => {
    const resolved = await resolveAction(store, options);
    return fillNewFile(output, (file) => writeEntries(store, file, resolved, false));
  });
  if (json) printJson({ file: output, entries });
  else note(`${count(entries, 'entry', 'entries')} written to ${output}.`);
}

/** @throws WrongUsage where the log holds no such action, and this version writes none */
async function resolveAction(store: Store, options: ExportOptions): Promise<ExportOptions> {
  const { action: text } = options;
  if (text === undefined) return options;
  const own = sameName(text, AUDIT_ACTIONS);
  if (own !== undefined) return { ...options, action: own };
  // A handler or another version may have written it.
  const stored = await findStoredActions(store);
  const action = sameName(text, stored);
  if (action !== undefined) return { ...options, action };
  const known = [...AUDIT_ACTIONS, ...stored.filter((one) => !AUDIT_ACTIONS.some((ours) => ours === one))];
  const meant = closestName(text, known);
  const list = meant === undefined ? `; there are ${known.join(', ')}` : '';
  throw new WrongUsage(`no audit entry has the action ${JSON.stringify(text)}${didYouMean(meant)}${list}`);
}

async function findStoredActions(store: Store): Promise<string[]> {
  const { cursor: end } = await store.tailAudit(1);
  const found = new Set<string>();
  for await (const page of readUpTo(store, end)) for (const { action } of page) found.add(action);
  return [...found];
}

/** In the order of their commits, up to where the log ended when this began; its own entry is left out. */
async function writeEntries(store: Store, to: Writable, options: ExportOptions, asArray: boolean): Promise<number> {
  const { cursor: end } = await store.tailAudit(1);
  const { since, until, action } = options;
  const own = await recordAction(
    store,
    operatorDraft('audit.export', {
      since: since === undefined ? undefined : isoTime(since),
      until: until === undefined ? undefined : isoTime(until),
      filtered: action === undefined ? undefined : true,
    }),
  );
  const progress = startProgress('entries');
  let written = 0;
  let read = 0;
  try {
    if (asArray) await writeAtPace(to, '[');
    for await (const page of readUpTo(store, end)) {
      const matching = page.filter((entry) => entry.writer !== own.writer && matches(entry, options));
      const texts = matching.map((entry) => toJson(entry, 0));
      if (texts.length > 0)
        await writeAtPace(to, asArray ? `${written > 0 ? ',' : ''}\n${texts.join(',\n')}` : `${texts.join('\n')}\n`);
      written += texts.length;
      read += page.length;
      progress.update(read);
    }
    if (asArray) await writeAtPace(to, '\n]\n');
  } finally {
    progress.stop();
  }
  return written;
}

export async function* readUpTo(
  store: Pick<Store, 'tailAudit'>,
  end: AuditCursor,
): AsyncGenerator<readonly AuditEntry[]> {
  let cursor: AuditCursor = 'start';
  while (!hasReached(cursor, end)) {
    const page: AuditTail = await store.tailAudit(PAGE, cursor);
    if (page.entries.length === 0) return;
    yield page.entries;
    cursor = page.cursor;
  }
}

/** Whether a reader at `cursor` has seen all that there was at `end`. */
function hasReached(cursor: AuditCursor, end: AuditCursor): boolean {
  if (typeof end === 'number') return typeof cursor === 'number' ? cursor >= end : end <= 0;
  if (end === 'start') return true;
  return [...end].every(([chain, seq]) => cursor instanceof Map && (cursor.get(chain) ?? 0) >= seq);
}

function matches({ timestamp, action }: AuditEntry, options: ExportOptions): boolean {
  const at = Date.parse(timestamp);
  return (
    (options.since === undefined || at >= options.since) &&
    (options.until === undefined || at < options.until) &&
    (options.action === undefined || action === options.action)
  );
}

export async function writeAtPace(to: Writable, text: string): Promise<void> {
  // A stream that was destroyed tells nobody who waits for it.
  if (to.destroyed) throw to.errored ?? new Error('the output was closed');
  if (!to.write(text)) await once(to, 'drain');
}
