import { styleText } from 'node:util';
import { note, print } from '../print.ts';
import { printable } from '../printable.ts';
import type { Line, Status } from './check.ts';
import type { FilledItem, State } from './checklist.ts';

const STATUSES: readonly Status[] = ['fail', 'warn', 'skip', 'ok'];
const COLOURS = { fail: 'red', warn: 'yellow', skip: 'gray', ok: 'green' } as const;
const STATUS_WIDTH = 6;
/** Columns for the text at the least: on a narrower terminal lines break where they may. */
const LEAST_WIDTH = 40;

const MARKS: Readonly<Record<State, string>> = { holds: '[x]', fails: '[ ]', unknown: '[?]', 'by-hand': '[-]' };
const STATE_COLOURS = { holds: 'green', fails: 'red', unknown: 'gray', 'by-hand': 'cyan' } as const;

/** Both lists as in docs/, each item with its command, and what was found below it where it does not hold. */
export function printChecklist(items: readonly FilledItem[]): void {
  for (const [list, group] of Map.groupBy(items, (item) => item.list)) {
    print(`${list === 'security' ? 'Security' : '\nProduction'}\n`);
    for (const { item, command, state, lines } of group) {
      const mark = styleText(STATE_COLOURS[state], MARKS[state], { stream: process.stdout });
      print(`${mark} ${wrapAt(4, `${item}: ${command}`, '')}\n`);
      for (const { check, found, fix } of lines) {
        print(`    ${wrapAt(4, `${check}: ${found}`, '  ')}\n`);
        if (fix !== null) print(`      ${wrapAt(6, `fix: ${fix}`, '  ')}\n`);
      }
    }
  }
  const states = Object.keys(MARKS) as State[];
  note(states.map((state) => `${items.filter((item) => item.state === state).length} ${state}`).join(', '));
}

/** A line for each finding, its fix below it; broken at words on a terminal, whole elsewhere. */
export function printLines(lines: readonly Line[]): void {
  const nameWidth = Math.max(...lines.map(({ check }) => check.length)) + 2;
  const indent = ' '.repeat(STATUS_WIDTH + nameWidth);
  const wrap = (text: string, further: string): string => wrapAt(indent.length, text, further);
  for (const { status, check, found, fix } of together(lines)) {
    print(`${paint(status)}${check.padEnd(nameWidth)}${wrap(found, '')}\n`);
    if (fix !== null) print(`${indent}${wrap(`fix: ${fix}`, '     ')}\n`);
  }
  note(STATUSES.map((status) => `${lines.filter((line) => line.status === status).length} ${status}`).join(', '));
}

/** @param further what the lines after the first are indented by beyond the column */
function wrapAt(column: number, text: string, further: string): string {
  const { columns, isTTY } = process.stdout;
  const width = isTTY ? Math.max(LEAST_WIDTH, columns - column - further.length) : Number.POSITIVE_INFINITY;
  return breakLines(printable(text), width).join(`\n${' '.repeat(column)}${further}`);
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
