import { z } from 'zod';
import { type EnvironmentStatus, environmentStatus, type Plan, plan, type planBody } from '../api/deployments.ts';
import {
  type ConfigInfo,
  type configChangeBody,
  configInfo,
  type EnvironmentInfo,
  type environmentChangeBody,
  environmentInfo,
  environmentList,
  type newEnvironmentBody,
} from '../api/stacks.ts';
import type { Connection } from './connection.ts';
import { path } from './path.ts';
import { type StackName, stackPath } from './stacks.ts';

/** `alice/shop test` in its parts. */
export interface EnvironmentName extends StackName {
  environment: string;
}

/** Where the API has an environment. */
export function environmentPath(name: EnvironmentName): string {
  return stackPath(name) + path`/environments/${name.environment}`;
}

const configVersions = z.object({ versions: z.array(configInfo) });

/** Where stacks run, what is known of it, and its variables. */
export class EnvironmentsClient {
  constructor(readonly connection: Connection) {}

  /** In their order. */
  async list(stack: StackName): Promise<EnvironmentInfo[]> {
    const address = `${stackPath(stack)}/environments`;
    return (await this.connection.call(environmentList, 'GET', address)).environments;
  }

  get(name: EnvironmentName): Promise<EnvironmentInfo> {
    return this.connection.call(environmentInfo, 'GET', environmentPath(name));
  }

  create(stack: StackName, environment: z.input<typeof newEnvironmentBody>): Promise<EnvironmentInfo> {
    return this.connection.call(environmentInfo, 'POST', `${stackPath(stack)}/environments`, environment);
  }

  change(name: EnvironmentName, change: z.input<typeof environmentChangeBody>): Promise<EnvironmentInfo> {
    return this.connection.call(environmentInfo, 'PATCH', environmentPath(name), change);
  }

  /** Its targets stop asking for it; what runs on them stays. */
  delete(name: EnvironmentName): Promise<void> {
    return this.connection.send('DELETE', environmentPath(name));
  }

  /** What is wanted, and what really runs. */
  status(name: EnvironmentName): Promise<EnvironmentStatus> {
    return this.connection.call(environmentStatus, 'GET', `${environmentPath(name)}/status`);
  }

  /** What would happen; changes nothing. */
  plan(name: EnvironmentName, wanted: z.input<typeof planBody>): Promise<Plan> {
    return this.connection.call(plan, 'POST', `${environmentPath(name)}/plan`, wanted);
  }

  /** Automation deploys nothing until `resume`. */
  hold(name: EnvironmentName, reason: string): Promise<EnvironmentInfo> {
    return this.connection.call(environmentInfo, 'POST', `${environmentPath(name)}/hold`, { reason });
  }

  resume(name: EnvironmentName): Promise<EnvironmentInfo> {
    return this.connection.call(environmentInfo, 'POST', `${environmentPath(name)}/resume`);
  }

  /** The variables as they are now; of secrets the names alone. */
  config(name: EnvironmentName): Promise<ConfigInfo> {
    return this.connection.call(configInfo, 'GET', `${environmentPath(name)}/config`);
  }

  changeConfig(name: EnvironmentName, change: z.input<typeof configChangeBody>): Promise<ConfigInfo> {
    return this.connection.call(configInfo, 'PATCH', `${environmentPath(name)}/config`, change);
  }

  /** Newest first. */
  async configVersions(name: EnvironmentName): Promise<ConfigInfo[]> {
    const address = `${environmentPath(name)}/config/versions`;
    return (await this.connection.call(configVersions, 'GET', address)).versions;
  }
}
