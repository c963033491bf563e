import { sendDatagram } from './libc.ts';

/** What systemd is told of a `Type=notify` service: sd_notify(3). Without NOTIFY_SOCKET nothing is said. */
export class Systemd {
  readonly #socket: string | undefined;
  readonly #watchdogMs: number | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(environment: Record<string, string | undefined>) {
    const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: watchdog, WATCHDOG_PID: pid } = environment;
    this.#socket = socket || undefined;
    const mine = !pid || Number(pid) === process.pid;
    const ms = Number(watchdog) / 1000;
    this.#watchdogMs = mine && ms > 0 ? ms : undefined;
  }

  /** READY=1, and from now on the watchdog's signs of life for as long as `alive` says so. */
  ready(alive: () => boolean): void {
    this.#send('READY=1');
    if (this.#watchdogMs === undefined || this.#timer !== undefined) return;
    const sign = () => {
      if (alive()) this.#send('WATCHDOG=1');
    };
    sign();
    this.#timer = setInterval(sign, this.#watchdogMs / 3);
  }

  /** The line that `systemctl status` shows. */
  status(text: string): void {
    this.#send(`STATUS=${text.replaceAll('\n', ' ').slice(0, 200)}`);
  }

  stopping(): void {
    this.#send('STOPPING=1');
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #send(text: string): void {
    if (this.#socket !== undefined) sendDatagram(this.#socket, text);
  }
}
