import { isSecretSetting, SETTING_NAMES } from '../config/catalogue.ts';

/** A handler may well call Instantly. */
const FOR_HANDLERS: readonly string[] = ['INSTANTLY_API_KEY', 'INSTANTLY_READ_KEY', 'INSTANTLY_WRITE_KEY'];

/**
 * What handlers see as `process.env`: a copy without the receiver's own secrets, which an error reporter or a dump of
 * the environment would otherwise carry off.
 */
export function handlerEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const visible = { ...env };
  for (const name of SETTING_NAMES) {
    if (!isSecretSetting(name) || FOR_HANDLERS.includes(name)) continue;
    delete visible[name];
    delete visible[`${name}_FILE`];
  }
  return visible;
}
