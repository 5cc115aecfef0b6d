import { setTimeout as pause } from 'node:timers/promises';
import type { Service } from './service.ts';
import { nothing, type Scene, type Trial, tryUnderLoad } from './trial.ts';

/** Milliseconds of work at the most before a kill, and of a start that is killed half way. */
const WORK_MS = 500;
const START_MS = 800;
/** Share of kills that come during the start. */
const AT_START = 0.2;

/** SIGKILL at a random moment, and started again at once. */
async function killTimes(scene: Scene, services: readonly Service[], times: number): Promise<string> {
  const { random } = scene;
  for (let kill = 0; kill < times; kill += 1) {
    // One at a time, so that the other is there to take over.
    const service = random.pick(services);
    await pause(random.next() * WORK_MS);
    await service.kill();
    service.launch();
    if (random.next() < AT_START) {
      kill += 1;
      await pause(random.next() * START_MS);
      await service.kill();
      service.launch();
    }
    await service.ready();
  }
  return `${times} SIGKILLs`;
}

export const killReceivers: Trial = {
  name: 'receiver-killed',
  what: 'one of two receivers is killed, and started again at once',
  run: (choices) =>
    tryUnderLoad(
      {
        prepare: nothing,
        refusals: 'none',
        disturb: (scene) => killTimes(scene, scene.site.receivers, scene.quick ? 6 : 100),
      },
      choices,
    ),
};

export const killWorkers: Trial = {
  name: 'worker-killed',
  what: 'one of two workers is killed, and started again at once',
  run: (choices) =>
    tryUnderLoad(
      {
        prepare: nothing,
        refusals: 'none',
        disturb: (scene) => killTimes(scene, scene.site.workers, scene.quick ? 3 : 50),
      },
      choices,
    ),
};
