// An S3 server (npm's s3rver) for the tests, in a process of its own: `node --openssl-legacy-provider s3-server.mjs FOLDER BUCKET`. Prints its port.
import S3rver from 's3rver';

const [directory, bucket] = process.argv.slice(2);
const server = new S3rver({
  port: 0,
  address: '127.0.0.1',
  silent: true,
  directory,
  configureBuckets: [{ name: bucket }],
});
const { port } = await server.run();
console.log(port);
