// People who use a service while it is deployed: so many requests a second, each on a connection of its own, and what became of them.

export interface Request {
  /** ms since 1970, when it was sent. */
  at: number;
  /** How long until the answer was there, ms. */
  took: number;
  /** What was answered, trimmed; undefined when the request failed. */
  answer: string | undefined;
  /** Why it failed. */
  error: string | undefined;
}

export interface Traffic {
  requests: () => Request[];
  failed: () => Request[];
  /** The answers that came, without repetition, in the order of their first coming. */
  answers: () => string[];
  /** Between the first and the last failure of the longest run of failures, ms. */
  longestGap: () => number;
  /** Forgets what was counted so far. */
  reset: () => void;
  /** Sends no more and waits for the answers that are due. */
  stop: () => Promise<void>;
}

export interface TrafficOptions {
  /** 10 unless told. */
  perSecond?: number;
  /** ms; a request without an answer until then has failed. 5 s unless told. */
  within?: number;
}

/** More than any test sends: a test that forgets to stop ends there. */
const MOST = 20_000;

export function startTraffic(url: string, options: TrafficOptions = {}): Traffic {
  const within = options.within ?? 5_000;
  let requests: Request[] = [];
  let sent = 0;
  const pending = new Set<Promise<void>>();
  const ask = async () => {
    const at = Date.now();
    const put = (answer: string | undefined, error: string | undefined) =>
      requests.push({ at, took: Date.now() - at, answer, error });
    try {
      const response = await fetch(url, {
        keepalive: false,
        headers: { Connection: 'close' },
        signal: AbortSignal.timeout(within),
      });
      const text = (await response.text()).trim();
      if (response.ok) put(text, undefined);
      else put(undefined, `${response.status} ${text.slice(0, 100)}`);
    } catch (error) {
      put(undefined, String(error));
    }
  };
  const timer = setInterval(
    () => {
      if (++sent > MOST) clearInterval(timer);
      const asked = ask().finally(() => pending.delete(asked));
      pending.add(asked);
    },
    1000 / (options.perSecond ?? 10),
  );
  const failed = () => requests.filter((request) => request.error !== undefined);
  return {
    requests: () => [...requests],
    failed,
    answers: () => [...new Set(requests.map((request) => request.answer).filter((answer) => answer !== undefined))],
    longestGap() {
      let longest = 0;
      let since: number | undefined;
      for (const { at, error } of requests.toSorted((a, b) => a.at - b.at)) {
        if (error === undefined) since = undefined;
        else {
          since ??= at;
          longest = Math.max(longest, at - since);
        }
      }
      return longest;
    },
    reset() {
      requests = [];
    },
    async stop() {
      clearInterval(timer);
      await Promise.all(pending);
    },
  };
}
