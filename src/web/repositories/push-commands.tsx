import { CodeBlock } from '../kit/copy.tsx';

/** How clients name this registry. */
export const HOST = location.host;

/** What a client pulls. */
export function pullCommand(repository: string, reference: string): string {
  return `docker pull ${HOST}/${repository}${reference.includes(':') ? '@' : ':'}${reference}`;
}

/** `docker tag`, `docker push`, and `docker login` before them. */
export function PushCommands({
  repository,
  label,
  image = 'my-app',
  tag = '1.0',
  logIn = true,
}: {
  repository: string;
  label: string;
  image?: string;
  tag?: string;
  logIn?: boolean;
}) {
  const name = `${HOST}/${repository}:${tag}`;
  const lines = [...(logIn ? [`docker login ${HOST}`] : []), `docker tag ${image} ${name}`, `docker push ${name}`];
  return <CodeBlock label={label} code={lines.join('\n')} />;
}
