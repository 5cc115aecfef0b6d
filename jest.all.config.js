import { availableParallelism } from 'node:os';

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  // A PostgreSQL for whichever test file asks for one, started only then.
  globalSetup: '<rootDir>/test/support/postgres-setup.ts',
  globalTeardown: '<rootDir>/test/support/postgres-teardown.ts',
  // Most of what a test waits for are other processes; alone, jest would leave half of a machine with two cores idle.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  moduleFileExtensions: ['ts', 'js', 'mjs', 'json', 'node'],
  // Many tests start processes, and a busy machine starts them slowly. Nothing is measured by it.
  testTimeout: 90_000,
  coverageProvider: 'v8',
  // store.ts holds types alone; body-thread.ts runs in a thread, where nothing is counted.
  collectCoverageFrom: ['src/{authenticate,inbox,audit}/**/*.ts', '!src/inbox/{store,body-thread}.ts'],
  // Where a branch nobody tried lets in a forger, loses an event or hides a change.
  coverageThreshold: {
    './src/authenticate/': { branches: 100 },
    './src/inbox/': { branches: 100 },
    './src/audit/': { branches: 100 },
  },
};
