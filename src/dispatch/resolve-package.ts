import { registerHooks } from 'node:module';

const PACKAGE_NAME = 'instantly-webhook-receiver';

/** Lets a handler file import this package by its name, wherever its folder is mounted. For the calling thread only. */
export function resolvePackage(): void {
  const url = new URL('../index.ts', import.meta.url).href;
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === PACKAGE_NAME ? { url, shortCircuit: true } : next(specifier, context),
  });
}
