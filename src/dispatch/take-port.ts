import type { MessagePort } from 'node:worker_threads';

/**
 * Gives the one way to post to the main thread and closes it to everyone else: a library that finds itself in a thread
 * may post to whoever started it, and the main thread would take that for a word of ours.
 */
export function takePort<Message>(port: MessagePort): (message: Message) => void {
  const post = port.postMessage.bind(port);
  port.postMessage = () => undefined;
  return (message) => post(message);
}
