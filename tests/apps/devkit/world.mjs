// A world of the Workflow DevKit over HTTP: what its runtime asks for, asked of Windlass's apps API.
import { Encoder, decode } from 'cbor-x';

const BYTES = ['input', 'output', 'result', 'payload', 'metadata', 'error'];
const DATES = ['createdAt', 'updatedAt', 'startedAt', 'completedAt', 'expiredAt', 'resumeAt', 'retryAfter'];
const cbor = new Encoder({ useRecords: false });
const url = process.env.PLT_WORLD_SERVICE_URL;
const deployment = process.env.PLT_WORLD_DEPLOYMENT_VERSION ?? 'local';
const base = `${url}/api/v1/apps/${process.env.PLT_WORLD_APP_ID ?? 'default'}`;
const token = process.env.WORLD_TOKEN;

const packed = (data) => data && Object.fromEntries(Object.entries(data).map(([name, value]) =>
  [name, BYTES.includes(name) && value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value]));

function revived(entity) {
  if (!entity || typeof entity !== 'object') return entity;
  const made = { ...entity };
  for (const name of DATES) if (typeof made[name] === 'string') made[name] = new Date(made[name]);
  for (const name of BYTES) {
    const text = made[name];
    if (typeof text !== 'string' || !text) continue;
    const bytes = Buffer.from(text, 'base64');
    if (bytes.toString('base64') === text) made[name] = new Uint8Array(bytes);
  }
  if (made.eventData) made.eventData = revived(made.eventData);
  return made;
}

async function ask(method, path, { body, headers = {}, query = {}, name, raw } = {}) {
  const url = new URL(base + path);
  for (const [key, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(key, value);
  if (body !== undefined) headers = { 'content-type': 'application/json', ...headers };
  if (token) headers = { ...headers, authorization: `Bearer ${token}` };
  const text = body instanceof Uint8Array || body === undefined ? body : JSON.stringify(body);
  const reply = await fetch(url, { method, headers, body: text });
  if (!reply.ok) {
    const said = await reply.json().catch(() => ({}));
    const error = new Error(said.message ?? `${method} ${path}: ${reply.status}`);
    error.name = reply.status === 404 && name ? name : 'WorkflowWorldError';
    throw Object.assign(error, { status: reply.status, statusCode: reply.status, meta: said.meta });
  }
  return raw ? reply : reply.status === 204 ? undefined : reply.json();
}

const page = ({ data, cursor, hasMore }) => ({ data: data.map(revived), cursor, hasMore });
const paging = ({ pagination = {}, resolveData } = {}) => ({ ...pagination, resolveData });
const chunk = (data) => typeof data === 'string'
  ? { data, type: 'string' } : { data: Buffer.from(data).toString('base64'), type: 'binary' };
const stream = (run, name) => `/runs/${run}/streams/${encodeURIComponent(name)}`;
const put = (run, name, body, headers) => ask('PUT', stream(run, name), { body, headers });

const streams = {
  write: (run, name, data) => put(run, name, [chunk(data)], { 'x-stream-multi': 'true' }),
  writeMulti: (run, name, all) => put(run, name, all.map(chunk), { 'x-stream-multi': 'true' }),
  close: (run, name) => put(run, name, {}, { 'x-stream-done': 'true' }),
  get: async (_run, name, startIndex) => (await ask('GET', `/streams/${encodeURIComponent(name)}`,
    { query: { stream: 'true', startIndex }, raw: true })).body,
  list: (run) => ask('GET', `/runs/${run}/streams`),
  getChunks: async (run, name, query) => {
    const found = await ask('GET', `${stream(run, name)}/chunks`, { query });
    return { ...found, data: found.data.map((one) => ({ ...one, data: new Uint8Array(Buffer.from(one.data, 'base64')) })) };
  },
  getInfo: (run, name) => ask('GET', `${stream(run, name)}/info`),
};

export function createWorld() {
  return {
    specVersion: Number(process.env.WORLD_SPEC ?? 6),
    async start(port = process.env.PORT) {
      const at = `http://127.0.0.1:${port}/.well-known/workflow/v1`;
      const endpoints = { workflow: `${at}/flow`, step: `${at}/step`, webhook: `${at}/webhook` };
      await ask('POST', '/handlers', { body: { podId: `pid-${process.pid}`, deploymentVersion: deployment, endpoints } });
    },
    getDeploymentId: async () => deployment,
    async queue(queueName, message, { deploymentId = deployment, idempotencyKey, delaySeconds, specVersion } = {}) {
      const envelope = { queueName, message, deploymentId, idempotencyKey, delaySeconds };
      const asJson = specVersion !== undefined && specVersion < 3;
      const sent = asJson ? { body: envelope }
        : { body: cbor.encode(envelope), headers: { 'content-type': 'application/cbor' } };
      try {
        return await ask('POST', '/queue', sent);
      } catch (error) {
        if (error.status === 409) return { messageId: null };
        throw error;
      }
    },
    createQueueHandler: (prefix, handler) => async (request) => {
      const bytes = Buffer.from(await request.arrayBuffer());
      const isCbor = request.headers.get('content-type') === 'application/cbor';
      const { message, meta } = isCbor ? decode(bytes) : JSON.parse(bytes.toString());
      if (!meta?.queueName?.startsWith(prefix)) return Response.json({ error: 'Unhandled queue' }, { status: 400 });
      try {
        return Response.json((await handler(message, meta)) ?? {});
      } catch (error) {
        console.error(error);
        return new Response(null, { status: 500 });
      }
    },
    runs: {
      get: async (id, params) => revived(await ask('GET', `/runs/${id}`, { query: paging(params), name: 'WorkflowRunNotFoundError' })),
      list: async ({ workflowName, status, ...params } = {}) => page(await ask('GET', '/runs', { query: { ...paging(params), workflowName, status } })),
    },
    steps: {
      get: async (run, id, params) => revived(await ask('GET', `/runs/${run ?? '_'}/steps/${id}`, { query: paging(params) })),
      list: async ({ runId, ...params }) => page(await ask('GET', `/runs/${runId}/steps`, { query: paging(params) })),
    },
    events: {
      async create(run, { eventData, ...event }, { resolveData, eventCount } = {}) {
        const body = { ...event, eventData: packed(eventData) };
        const made = await ask('POST', `/runs/${run}/events`, { body, query: { resolveData, eventCount } });
        for (const name of ['event', 'run', 'step', 'hook', 'wait']) if (made[name]) made[name] = revived(made[name]);
        return { ...made, event: made.event ?? undefined, ...(made.events && { events: made.events.map(revived) }) };
      },
      get: async (run, id) => revived(await ask('GET', `/runs/${run}/events/${id}`)),
      list: async ({ runId, ...params }) => page(await ask('GET', `/runs/${runId}/events`, { query: paging(params) })),
      listByCorrelationId: async ({ correlationId, ...params }) =>
        page(await ask('GET', '/events/by-correlation', { query: { ...paging(params), correlationId } })),
    },
    hooks: {
      get: async (id) => revived(await ask('GET', `/hooks/${id}`, { name: 'HookNotFoundError' })),
      getByToken: async (held) => revived(await ask('GET', `/hooks/by-token/${held}`, { name: 'HookNotFoundError' })),
      list: async ({ runId, ...params } = {}) => page(await ask('GET', '/hooks', { query: { ...paging(params), runId } })),
    },
    async getEncryptionKeyForRun(run) {
      const { key } = await ask('GET', '/encryption-key', { query: { runId: run.runId ?? run } });
      return key ? new Uint8Array(Buffer.from(key, 'base64')) : undefined;
    },
    streams,
    // What SDK 4 calls the same.
    writeToStream: (name, run, data) => streams.write(run, name, data),
    writeToStreamMulti: (name, run, all) => streams.writeMulti(run, name, all),
    closeStream: (name, run) => streams.close(run, name),
    readFromStream: (name, startIndex) => streams.get('', name, startIndex),
    listStreamsByRunId: streams.list,
    getStreamChunks: (name, run, query) => streams.getChunks(run, name, query),
    getStreamInfo: (name, run) => streams.getInfo(run, name),
  };
}
export default createWorld;
