import { AsyncResource } from 'node:async_hooks';
import {
  MessageChannel,
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  Worker,
  type WorkerOptions,
  workerData,
} from 'node:worker_threads';

/** Under which Node's EventTarget looks up how a message is handed to the listeners of a port. */
const DISPATCH = Symbol.for('nodejs.internal.kHybridDispatch');
/** The longest interval there is. */
const FOR_EVER_MS = 2 ** 31 - 1;

/** A thread, and a channel to it that code which runs there does not find. */
export interface PrivateThread<Out> {
  readonly worker: Worker;
  readonly post: (message: Out, move?: ArrayBuffer[]) => void;
  /** Neither keeps the process from ending any more. */
  readonly unref: () => void;
}

/**
 * Starts a thread whose file calls {@link takeChannel}.
 *
 * @param hear called for each message; the last ones come before listeners added later hear that the thread has failed or ended
 */
export function startPrivateThread<In, Out>(
  file: URL,
  data: object,
  options: WorkerOptions,
  hear: (message: In) => void,
): PrivateThread<Out> {
  const { port1: own, port2: port } = new MessageChannel();
  const worker = new Worker(file, { ...options, workerData: { ...data, port }, transferList: [port] });
  own.on('message', hear);
  const hearRest = (): void => {
    for (let left = receiveMessageOnPort(own); left !== undefined; left = receiveMessageOnPort(own)) hear(left.message);
  };
  worker.on('error', hearRest);
  worker.on('exit', () => {
    hearRest();
    own.close();
  });
  return {
    worker,
    post: (message, move = []) => own.postMessage(message, move),
    unref: () => {
      worker.unref();
      own.unref();
    },
  };
}

/**
 * Takes this thread's data and its end of the channel, and leaves no way to either for code that is loaded afterwards: a library
 * that posts to the thread that started it must not be heard as a word of ours, nor code that changes the prototypes by which
 * a port is used.
 *
 * @param hear called for each message, in an async context that does not lead to the port
 */
export function takeChannel<Data extends object, Out, In = never>(
  hear: (message: In) => void = () => undefined,
): { readonly data: Data; readonly send: (message: Out) => void } {
  const taken: object = workerData;
  const { port, ...data } = taken as Data & { readonly port: MessagePort };
  for (const name of Object.keys(taken)) Reflect.deleteProperty(taken, name);
  parentPort?.close();
  const send = port.postMessage.bind(port);
  const resource = new AsyncResource('PrivateChannel');
  const runApart = resource.runInAsyncScope.bind(resource);
  // An own property is found before a prototype's that has been replaced.
  Object.defineProperty(port, DISPATCH, { value: Reflect.get(port, DISPATCH) });
  // In the listener itself async_hooks.executionAsyncResource() is the port.
  port.on('message', (message: In) => runApart(hear, undefined, message));
  // Else process._getActiveHandles() lists it. The thread lives until it is told to end.
  port.unref();
  setInterval(() => undefined, FOR_EVER_MS);
  return { data: data as unknown as Data, send: (message) => send(message) };
}
