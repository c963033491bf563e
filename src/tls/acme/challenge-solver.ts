/** Shows an authority that a name is this server's. */
export interface ChallengeSolver {
  /** The kind of challenge that it answers, for a name or an address. */
  kindFor(name: string): 'http-01' | 'dns-01';
  /** Returns when the authority may look. @throws AcmeFailure */
  set(challenge: Challenge): Promise<void>;
  /** Takes it back, as far as it can. Idempotent; never throws. */
  remove(challenge: Challenge): Promise<void>;
}

export interface Challenge {
  kind: 'http-01' | 'dns-01';
  /** Without `*.`. */
  name: string;
  token: string;
  /** What the file or the TXT record is to say. */
  answer: string;
}
