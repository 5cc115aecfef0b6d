import all from './jest.all.config.js';

/**
 * Left to `npm run test:all`: files that start processes or a PostgreSQL again and again, or wait for time to pass. Each room
 * keeps here what shows that it works: contracts, the HTTP server and the dispatcher whole, one of each command, a kill, a
 * rotation, an outage.
 */
const LEFT_OUT = [
  'integration/(cli-(?!smoke)|crash-(?!kill)|doctor-|fake-instantly-(?!receiver)|instantly-(?!rotate\\.))',
  'integration/(secrets-never-shown|settings-reload|http-crowds|documents|package|start-(?!entry|secrets)|postgres-tokens)',
  'contract/(postgres-(?!documents|reads)|spill-(?!outage))',
  'integration/(postgres-serving|dispatch-time-outs|audit-tampered|http-(?:slow|stop|large-bodies|log-budget|replays))',
  'unit/(spill-(states|file|order)|instantly-reconcile-(log|round)|scan-secrets-thread-pool)',
];

/** A file that is named runs, whichever tier it is in. */
const isNamed = process.argv.slice(2).some((word) => word.startsWith('test/'));

/** @type {import('jest').Config} */
export default {
  ...all,
  testPathIgnorePatterns: isNamed ? [] : LEFT_OUT.map((files) => `<rootDir>/test/${files}`),
};
