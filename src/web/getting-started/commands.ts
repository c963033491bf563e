/*
 * What to type, for a registry as it is named in image names (`doctor/registry-host.ts`).
 */

export function pushCommands(host: string, username: string) {
  const image = `${host}/${username}/my-app:1.0`;
  return {
    logIn: `docker login -u ${username} ${host}`,
    tag: `docker tag my-app ${image}`,
    push: `docker push ${image}`,
    pull: `docker pull ${image}`,
  };
}

/** @param namespace whose robot `ci` is */
export function buildCommands(host: string, namespace: string): string {
  const image = `${host}/${namespace}/my-app:$GIT_SHA`;
  return [
    `printf '%s' "$BERTH_TOKEN" | docker login -u '${namespace}+ci' --password-stdin ${host}`,
    `docker build -t "${image}" .`,
    `docker push "${image}"`,
  ].join('\n');
}

export function deployCommands(): string {
  return [
    'berth stack create shop -f compose.yaml',
    'berth env create shop test',
    'berth target enroll shop test',
    'berth deploy shop/test --wait',
  ].join('\n');
}

/** `docs/how-to/nginx.md` explains each line. @param port of Berth on the machine of nginx */
export function nginxConfiguration(name: string, port: string): string {
  return `server {
  listen 443 ssl;
  server_name ${name};
  ssl_certificate     /etc/ssl/${name}.pem;
  ssl_certificate_key /etc/ssl/${name}.key;
  client_max_body_size 0;
  location / {
    proxy_pass http://127.0.0.1:${port};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_request_buffering off;
    proxy_buffering off;
    proxy_read_timeout 900s;
    proxy_send_timeout 900s;
  }
}`;
}
