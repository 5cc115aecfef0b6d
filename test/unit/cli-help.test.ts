import { expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { COMMANDS, newProgram } from '../../src/cli/program.ts';

const WIDEST = 80;

/** As a terminal shows it that is far wider. */
function helpOf(command: Command): string {
  const parts: string[] = [];
  command.configureOutput({ writeOut: (part) => void parts.push(part) });
  command.outputHelp();
  return parts.join('');
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

const nameOf = (command: Command): string =>
  command.parent === null ? '' : `${nameOf(command.parent)} ${command.name()}`.trim();

test('no line of any help is wider than 80 columns', async () => {
  Object.defineProperty(process.stdout, 'columns', { value: 240, configurable: true });
  const program = newProgram();
  for (const load of Object.values(COMMANDS)) (await load()).register(program);
  const commands = withSubcommands(program);
  expect(commands.length).toBeGreaterThan(30);
  const wide = commands.flatMap((command) =>
    helpOf(command)
      .split('\n')
      .filter((line) => line.length > WIDEST)
      .map((line) => `${nameOf(command)}: ${line}`),
  );
  expect(wide).toEqual([]);
});
