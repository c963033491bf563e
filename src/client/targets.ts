import type { z } from 'zod';
import { enrolledTarget, type newTargetBody, type TargetInfo, targetList } from '../api/deployments.ts';
import type { Connection } from './connection.ts';
import { type EnvironmentName, environmentPath } from './environments.ts';
import { path } from './path.ts';

export type EnrolledTarget = z.infer<typeof enrolledTarget>;

/** Servers that run an environment. */
export class TargetsClient {
  constructor(readonly connection: Connection) {}

  async list(environment: EnvironmentName): Promise<TargetInfo[]> {
    return (await this.connection.call(targetList, 'GET', `${environmentPath(environment)}/targets`)).targets;
  }

  /** The token is in the answer, and nowhere else. */
  enroll(environment: EnvironmentName, target: z.input<typeof newTargetBody>): Promise<EnrolledTarget> {
    return this.connection.call(enrolledTarget, 'POST', `${environmentPath(environment)}/targets`, target);
  }

  /** Its token ends; what runs on it stays. */
  revoke(environment: EnvironmentName, target: string): Promise<void> {
    return this.connection.send('DELETE', environmentPath(environment) + path`/targets/${target}`);
  }
}
