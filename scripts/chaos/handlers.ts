import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const HANDLERS = ['first', 'second'] as const;

/** Milliseconds that a handler takes at the most, so that some are always at it when something is killed. */
const HANDLER_MS = 20;

/** Where a handler notes each event before it is done with it; a line is written whole or not at all. */
export function notesFile(folder: string, handler: string): string {
  return join(folder, `${handler}.txt`);
}

export function writeHandlers(folder: string): void {
  mkdirSync(join(folder, 'handlers'));
  for (const name of HANDLERS) {
    writeFileSync(
      join(folder, 'handlers', `${name}.mjs`),
      `import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
export default {
  name: '${name}',
  events: ['*'],
  async handle(event) {
    await pause(Math.random() * ${HANDLER_MS});
    appendFileSync(${JSON.stringify(notesFile(folder, name))}, event.id + '\\n');
  },
};
`,
    );
  }
}
