import type { Command } from 'commander';
import { registerCopy } from './store-copy.ts';
import { registerDrain } from './store-drain.ts';

/** `store`: moves what one store holds into another. */
export function register(program: Command): void {
  const store = program.command('store').description('move what a store on this machine holds into PostgreSQL');
  registerCopy(store);
  registerDrain(store);
}
