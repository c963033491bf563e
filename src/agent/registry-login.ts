import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const dockerConfig = z.object({ auths: z.record(z.string(), z.object({ auth: z.string().optional() })).optional() });

/** How the engine logs in to registries: to Berth with the agent's token, elsewhere with what `docker login` has kept as plain text. */
export class RegistryLogin {
  /** @param registry Berth's own host, with its port */
  constructor(
    readonly registry: string,
    readonly token: string,
    readonly environment: Record<string, string | undefined>,
  ) {}

  /** The value of X-Registry-Auth for an image, undefined for none. */
  for(image: string): string | undefined {
    const host = hostOf(image);
    if (host === this.registry) return encoded({ username: 'agent', password: this.token, serveraddress: host });
    const kept = this.#kept()?.[host === 'docker.io' ? 'https://index.docker.io/v1/' : host]?.auth;
    if (kept === undefined) return undefined;
    const [username = '', ...password] = Buffer.from(kept, 'base64').toString().split(':');
    return encoded({ username, password: password.join(':'), serveraddress: host });
  }

  #kept(): z.infer<typeof dockerConfig>['auths'] {
    const { DOCKER_CONFIG: folder, HOME: home = '/root' } = this.environment;
    try {
      return dockerConfig.parse(JSON.parse(readFileSync(join(folder || join(home, '.docker'), 'config.json'), 'utf8')))
        .auths;
    } catch {
      // No log-ins are kept, or not in a form that is known: registries that need one will say so.
      return undefined;
    }
  }
}

function hostOf(image: string): string {
  const [first = ''] = image.split('/', 1);
  return image.includes('/') && (/[.:]/.test(first) || first === 'localhost') ? first : 'docker.io';
}

/** URL-safe and, as the engine wants it, with padding: it takes anything else for no log-in at all. */
function encoded(login: Record<string, string>): string {
  return Buffer.from(JSON.stringify(login)).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}
