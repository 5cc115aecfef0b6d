import { isSecretVariable } from '../config/catalogue.ts';
import type { HandlerSettings } from '../config/settings.ts';

/**
 * What handlers see as `process.env`: a copy without the receiver's own secrets, which an error reporter or a dump of
 * the environment would otherwise carry off.
 */
export function handlerEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isSecretVariable(name)));
}

/** The environment with the user's own variables of `.env` in it, where it is silent itself: an empty value is an unset one. */
export function withDotenv({ variables }: HandlerSettings, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const added = Object.entries(variables).filter(([name]) => (env[name] ?? '').trim() === '');
  return { ...env, ...Object.fromEntries(added.map(([name, value]) => [name, value.reveal()])) };
}
