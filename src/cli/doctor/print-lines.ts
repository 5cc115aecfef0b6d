import { styleText } from 'node:util';
import { note, print } from '../print.ts';
import { printable } from '../printable.ts';
import type { Line, Status } from './check.ts';

const STATUSES: readonly Status[] = ['fail', 'warn', 'skip', 'ok'];
const COLOURS = { fail: 'red', warn: 'yellow', skip: 'gray', ok: 'green' } as const;
const STATUS_WIDTH = 6;
/** Columns for the text at the least: on a narrower terminal lines break where they may. */
const LEAST_WIDTH = 40;

/** A line for each finding, its fix below it; broken at words on a terminal, whole elsewhere. */
export function printLines(lines: readonly Line[]): void {
  const { columns, isTTY } = process.stdout;
  const nameWidth = Math.max(...lines.map(({ check }) => check.length)) + 2;
  const indent = ' '.repeat(STATUS_WIDTH + nameWidth);
  const width = isTTY ? Math.max(LEAST_WIDTH, columns - indent.length) : Number.POSITIVE_INFINITY;
  const wrap = (text: string, further: string): string =>
    breakLines(printable(text), width).join(`\n${indent}${further}`);
  for (const { status, check, found, fix } of together(lines)) {
    print(`${paint(status)}${check.padEnd(nameWidth)}${wrap(found, '')}\n`);
    if (fix !== null) print(`${indent}${wrap(`fix: ${fix}`, '     ')}\n`);
  }
  note(STATUSES.map((status) => `${lines.filter((line) => line.status === status).length} ${status}`).join(', '));
}

/** What many checks had to leave out for the same reason is said once. */
function together(lines: readonly Line[]): Line[] {
  const groups = Map.groupBy(lines, (line) => (line.status === 'skip' ? JSON.stringify([line.found, line.fix]) : line));
  return [...groups.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const also = others.map(({ check }) => check).join(', ');
    return [also === '' ? first : { ...first, found: `${first.found} (so with ${also})` }];
  });
}

function paint(status: Status): string {
  // Knows of NO_COLOR, and of what is no terminal.
  return styleText(COLOURS[status], status.padEnd(STATUS_WIDTH), { stream: process.stdout });
}

function breakLines(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
