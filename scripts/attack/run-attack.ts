/**
 * One attack, in a process of its own: NAME PORT. Writes a line when it begins, and ends with stdin.
 */
import process from 'node:process';
import { ATTACKS } from './attacks.ts';

const [name, port] = process.argv.slice(2);
const attack = ATTACKS.find((one) => one.name === name);
if (attack === undefined) throw new Error(`there is no attack of the name ${name}`);
const over = new AbortController();
process.stdin.resume().once('end', () => {
  over.abort();
  process.exit(0);
});
const begun = attack.begin(Number(port), over.signal);
process.stdout.write('on\n');
await begun;
