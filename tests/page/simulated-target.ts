// A server of an environment as its agent speaks, with no engine behind it: what it reports is said by a test.
import type { AgentReport, WantedState } from '../../src/api/agent.ts';
import { AgentClient } from '../../src/client/agent.ts';

const never = new AbortController().signal;

export class SimulatedTarget {
  private readonly agent: AgentClient;

  constructor(url: string, token: string) {
    this.agent = new AgentClient(url, token);
  }

  /** What it is to run, once that is this deployment. */
  async ordered(number: number): Promise<WantedState> {
    for (let tries = 0; tries < 100; tries++) {
      const fetched = await this.agent.state(undefined, never);
      if (fetched?.state.deployment?.number === number) return fetched.state;
      await Bun.sleep(100);
    }
    throw new Error(`deployment ${number} was not ordered within 10 s`);
  }

  report(report: Omit<AgentReport, 'now'> = {}): Promise<void> {
    return this.agent.report(
      { now: Date.now(), agentVersion: '0.1.0', engine: 'Docker Engine 26.1.5', ...report },
      never,
    );
  }

  /** The deployment's services run healthy here. */
  async healthy(number: number, phase: 'monitoring' | 'stable'): Promise<void> {
    const { deployment } = await this.ordered(number);
    const services = Object.entries(deployment?.images ?? {}).map(([service, { digest }]) => ({
      service,
      digest,
      containers: 1,
      health: 'healthy' as const,
      restarts: 0,
    }));
    await this.report({ deployment: { number, phase }, services });
  }

  /** The whole way of a deployment that goes well. */
  async run(number: number): Promise<void> {
    await this.ordered(number);
    await this.report({ deployment: { number, phase: 'switching' } });
    await this.healthy(number, 'monitoring');
    await this.healthy(number, 'stable');
  }
}
