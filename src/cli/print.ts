import { once } from 'node:events';
import Table from 'cli-table3';
import { printable, printableLines } from './printable.ts';

export type Cell = string | number | null;

/** One JSON document. Inside a string an escape says the same as the character, so nothing is lost. */
export function toJson(value: unknown, indent = 2): string {
  return printableLines(JSON.stringify(value, null, indent));
}

export function print(text: string): void {
  process.stdout.write(text);
}

export function printJson(value: unknown): void {
  print(`${toJson(value)}\n`);
}

/** What is worth knowing beside the result, where a person reads it. */
export function note(text: string): void {
  process.stderr.write(`${printableLines(text)}\n`);
}

/** For output of any length: waits while whoever reads it is slower than we are. */
export async function printAtPace(chunk: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(chunk)) await once(process.stdout, 'drain');
}

export function printTable(head: readonly string[], rows: readonly (readonly Cell[])[]): void {
  const plain = process.stdout.isTTY !== true || (process.env['NO_COLOR'] ?? '') !== '';
  const table = new Table({
    head: [...head],
    style: { compact: true, head: plain ? [] : ['bold'], border: plain ? [] : ['gray'] },
    colAligns: head.map((_, column) => (rows.some((row) => typeof row[column] === 'number') ? 'right' : 'left')),
  });
  for (const row of rows) table.push(row.map(showCell));
  print(`${table.toString()}\n`);
}

/** Names and values, one a line. */
export function printFacts(facts: readonly (readonly [string, Cell])[]): void {
  const width = Math.max(...facts.map(([name]) => name.length));
  print(facts.map(([name, value]) => `${name.padEnd(width)}  ${showCell(value)}\n`).join(''));
}

function showCell(value: Cell): string {
  if (value === null) return '-';
  return typeof value === 'number' ? String(value) : printable(value);
}

/** ISO 8601 in UTC, to the second, for people. */
export function showTime(milliseconds: number | null): string | null {
  return milliseconds === null ? null : `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}

export function isoTime(milliseconds: number): string;
export function isoTime(milliseconds: number | null): string | null;
export function isoTime(milliseconds: number | null): string | null {
  return milliseconds === null ? null : new Date(milliseconds).toISOString();
}

/** `1 event`, `2 events`, `1,234 events`. */
export function count(n: number, noun: string, plural = `${noun}s`): string {
  return `${n.toLocaleString('en')} ${n === 1 ? noun : plural}`;
}

export function noteLimit(shown: number, limit: number): void {
  if (shown === limit) note(`The newest ${limit}; --limit shows more.`);
}
