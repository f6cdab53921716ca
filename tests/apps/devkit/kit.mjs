// The world for the vendor's kit: it counts deliveries by reading them as JSON, so a server in between translates.
import { createServer } from 'node:http';
import { decode } from 'cbor-x';

// Each test of the kit starts a process: what is meant for one is delivered to no other.
process.env.PLT_WORLD_DEPLOYMENT_VERSION = `kit-${process.pid}`;
const { createWorld: createOurs } = await import('./world.mjs');

async function translate(request, reply) {
  const parts = [];
  for await (const part of request) parts.push(part);
  const bytes = Buffer.concat(parts);
  const type = request.headers['content-type'];
  const { message } = type === 'application/cbor' ? decode(bytes) : JSON.parse(bytes.toString());
  const answered = await fetch(`http://127.0.0.1:${process.env.PORT}${request.url}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ runId: message.runId, type, bytes: bytes.toString('base64') }),
  });
  reply.writeHead(answered.status, Object.fromEntries(answered.headers));
  reply.end(Buffer.from(await answered.arrayBuffer()));
}

export function createWorld() {
  const ours = createOurs();
  return {
    ...ours,
    async start() {
      const server = createServer(translate);
      await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
      await ours.start(server.address().port);
    },
    createQueueHandler(prefix, handler) {
      const handle = ours.createQueueHandler(prefix, handler);
      return async (request) => {
        const { type, bytes } = await request.json();
        const headers = { 'content-type': type };
        return handle(new Request(request.url, { method: 'POST', headers, body: Buffer.from(bytes, 'base64') }));
      };
    },
  };
}
export default createWorld;
