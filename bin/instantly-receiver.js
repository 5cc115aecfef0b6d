#!/usr/bin/env node
// Kept in JavaScript that Node 16 parses: an old Node has to get as far as saying that it is too old.
import process from 'node:process';

const NEEDED = 24;
const running = process.versions.node;

if (Number(running.split('.')[0]) >= NEEDED) {
  await import('../src/cli/main.ts');
} else {
  process.stderr.write(
    `instantly-receiver needs Node ${NEEDED} or newer and was started by Node ${running}; in a checkout start it through npm, which brings its own Node ("npm ci", then "npm start"), elsewhere install one from https://nodejs.org\n`,
  );
  // EX_CONFIG of sysexits.h, as for any other setting that stops the start.
  process.exitCode = 78;
}
