import type { AuditEntry, AuditValue } from '../audit/entry.ts';
import type { AuditCursor, AuditTail } from '../inbox/store.ts';
import { interruptible } from './interrupt.ts';
import { commandSettings, type ReadableStore, readStore } from './open-store.ts';
import { printAtPace, printJson, toJson } from './print.ts';
import { printable } from './printable.ts';

/** Entries read at once while following. */
const PAGE = 1_000;
/** Milliseconds after which the log is looked at though nothing told of a change. */
const LOOK_MS = 2_000;

interface TailOptions {
  readonly limit: number;
  readonly follow?: true;
  readonly json?: true;
}

/** Leaves no entry of its own: it would push out of sight what one looks for. */
export async function tail(options: TailOptions): Promise<void> {
  await readStore(commandSettings(), async (store) => {
    const newest = await store.tailAudit(options.limit);
    if (options.json && !options.follow) {
      printJson(newest.entries);
      return;
    }
    await printEntries(newest.entries, options);
    if (options.follow) await follow(store, newest.cursor, options);
  });
}

async function follow(store: ReadableStore, start: AuditCursor, options: TailOptions): Promise<void> {
  const stop = interruptible();
  let wake = (): void => undefined;
  const end = (): void => wake();
  store.onForeignChange(end);
  stop.signal.addEventListener('abort', end);
  let cursor = start;
  while (!stop.signal.aborted) {
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const news: AuditTail = await store.tailAudit(PAGE, cursor);
    cursor = news.cursor;
    await printEntries(news.entries, options);
    if (news.entries.length < PAGE && !stop.signal.aborted) await atMost(woken, LOOK_MS);
  }
}

async function atMost(promise: Promise<void>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([promise, over]);
  clearTimeout(timer);
}

async function printEntries(entries: readonly AuditEntry[], { json }: TailOptions): Promise<void> {
  if (entries.length === 0) return;
  const lines = entries.map((entry) => `${json ? toJson(entry, 0) : showEntry(entry)}\n`);
  await printAtPace(lines.join(''));
}

/** One line, to be read and searched. */
function showEntry(entry: AuditEntry): string {
  const { timestamp, action, userId, resource, result, metadata } = entry;
  const facts = Object.entries(metadata).map(([name, value]) => `${name}=${showValue(value)}`);
  return printable([timestamp, result.padEnd(7), action, userId, resource, ...facts].join('  '));
}

function showValue(value: AuditValue): string {
  return typeof value === 'string' && !/[\s"]/.test(value) ? value : JSON.stringify(value);
}
