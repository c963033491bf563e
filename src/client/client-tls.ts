/** How a client proves https servers, and itself to them. PEM throughout. */
export interface ClientTls {
  /** The authorities that are believed: all of them, since they replace the public ones. */
  ca?: string[];
  /** The client's own certificate with its issuers, and its key. */
  cert?: string;
  key?: string;
}
