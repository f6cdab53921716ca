// An app as its users write one: it serves what `workflow build` made, and does what a test asks of its SDK.
import { createServer } from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { getRun, resumeHook, start } from 'workflow/api';
import { setWorld } from 'workflow/runtime';
import { createWorld } from './world.mjs';

const world = createWorld();
setWorld(world);
const folder = new URL('./.well-known/workflow/v1/', import.meta.url);
// SDK 5 makes modules of another kind than SDK 4, and has no steps of their own.
const load = (name) => {
  const found = ['mjs', 'js'].map((kind) => new URL(`${name}.${kind}`, folder)).find(existsSync);
  return found && import(found);
};
const manifest = JSON.parse(readFileSync(new URL('manifest.json', folder)));
const names = Object.assign({}, ...Object.values(manifest.workflows));
const handlers = { flow: await load('flow'), step: await load('step') };

async function read(runId) {
  const reader = getRun(runId).getReadable().getReader();
  const words = [];
  for (let part = await reader.read(); !part.done; part = await reader.read()) words.push(part.value);
  return words;
}

const acts = {
  start: async ({ workflow, args = [] }) => (await start({ workflowId: names[workflow].workflowId }, args)).runId,
  result: async ({ runId }) => {
    try {
      return { value: await getRun(runId).returnValue };
    } catch (error) {
      return { error: `${error.name}: ${error.cause?.message ?? error.message}` };
    }
  },
  status: ({ runId }) => getRun(runId).status,
  cancel: ({ runId }) => getRun(runId).cancel(),
  resume: async ({ token, payload }) => { await resumeHook(token, payload); },
  read: ({ runId }) => read(runId),
};

async function answer(request, body) {
  const [, kind, rest] = request.url.match(/^\/\.well-known\/workflow\/v1\/(\w+)(.*)$/) ?? [];
  if (!kind) {
    const { act, ...asked } = JSON.parse(body.toString());
    return Response.json((await acts[act](asked)) ?? null);
  }
  const { method, headers } = request;
  handlers[kind] ??= await load(kind);
  const sent = new Request(`http://127.0.0.1${request.url}`, { method, headers, body: method === 'GET' ? undefined : body });
  return await (handlers[kind][method] ?? handlers[kind].default)(sent);
}

createServer(async (request, reply) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const answered = await answer(request, Buffer.concat(parts)).catch((error) => {
    console.error(error);
    return Response.json({ error: String(error) }, { status: 500 });
  });
  reply.writeHead(answered.status, Object.fromEntries(answered.headers));
  reply.end(Buffer.from(await answered.arrayBuffer()));
}).listen(Number(process.env.PORT), '127.0.0.1', async () => {
  await world.start();
  console.log('ready');
});
