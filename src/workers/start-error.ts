/** A worker could not begin to serve; the message is the worker's, for the operator. */
export class StartError extends Error {
  override readonly name = 'StartError';
}
