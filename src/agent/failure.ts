import { OciError } from '../oci/errors.ts';

/** A deployment can't go on here. */
export class DeploymentFailure extends Error {
  override readonly name = 'DeploymentFailure';

  /**
   * @param message in a line, for people
   * @param blame whether another release would have done better here
   * @param log the last lines of the container that failed
   */
  constructor(
    message: string,
    readonly blame: 'release' | 'place',
    readonly log?: string,
  ) {
    super(message);
  }
}

/** The agent is being stopped; what was begun is continued by its next start. */
export class StoppedError extends Error {
  override readonly name = 'StoppedError';
}

/** A newer deployment is wanted, so this one is left where it is. */
export class SupersededError extends Error {
  override readonly name = 'SupersededError';
}

const PLACE =
  /no space left|disk quota|cannot allocate memory|port is already allocated|address already in use|unauthorized|denied|permission denied|read-only file system|already in use by container|could not find an available.*address pool/i;

/** Whose fault an error of the engine or of compose is, by its words. */
export function blameOf(message: string): 'release' | 'place' {
  return PLACE.test(message) ? 'place' : 'release';
}

const ENGINE_GONE =
  /cannot connect to the docker daemon|is the docker daemon running|error during connect|connection re(?:set|fused)|unexpected EOF|: EOF$|broken pipe|server closed/im;

/** Whether compose failed for want of an engine, which says nothing of the release. */
export function isEngineGone(output: string): boolean {
  return ENGINE_GONE.test(output);
}

/** Removes the values of variables from a text that leaves this host, and NUL, which no database takes; short values tell nothing and stay. */
export function redact(text: string, variables: Readonly<Record<string, string>>): string {
  const values = Object.values(variables).filter((value) => value.length >= 8);
  return values
    .sort((a, b) => b.length - a.length)
    .reduce((redacted, value) => redacted.replaceAll(value, '***'), text.replaceAll('\0', ''));
}

/** Whatever went wrong, as a failure of the deployment. */
export function asFailure(error: unknown): DeploymentFailure {
  if (error instanceof DeploymentFailure) return error;
  // A file that can't be read is the release's own fault.
  return new DeploymentFailure(messageOf(error), error instanceof OciError ? 'release' : 'place');
}

export function withdrawn(): DeploymentFailure {
  return new DeploymentFailure('it was withdrawn before anything was changed', 'place');
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
