import { createHook, createWebhook, FatalError, getWritable, RetryableError, sleep } from 'workflow';

async function add(a, b) {
  'use step';
  return a + b;
}

async function flaky() {
  'use step';
  const tries = (globalThis.tries = (globalThis.tries ?? 0) + 1);
  if (tries < 3) throw new RetryableError('not yet', { retryAfter: 500 });
  return tries;
}

async function doomed() {
  'use step';
  throw new FatalError('never');
}

async function write(words) {
  'use step';
  const writer = getWritable().getWriter();
  for (const word of words) await writer.write(word);
  writer.releaseLock();
}

async function close() {
  'use step';
  await getWritable().close();
}

export async function chain(count) {
  'use workflow';
  let total = 0;
  for (let i = 1; i <= count; i++) total = await add(total, i);
  return total;
}

export async function fan(count) {
  'use workflow';
  const sums = await Promise.all(Array.from({ length: count }, (_, i) => add(i, 1)));
  return sums.reduce((a, b) => a + b, 0);
}

export async function nap() {
  'use workflow';
  const from = Date.now();
  await sleep('2s');
  return Date.now() - from;
}

export async function retried() {
  'use workflow';
  return await flaky();
}

export async function caught() {
  'use workflow';
  try {
    await doomed();
  } catch (error) {
    return error.message;
  }
}

export async function fails() {
  'use workflow';
  await doomed();
}

export async function approval(token) {
  'use workflow';
  const said = await createHook({ token });
  return said;
}

export async function thrice(token) {
  'use workflow';
  const heard = [];
  for await (const said of createHook({ token })) {
    heard.push(said);
    if (heard.length === 3) return heard;
  }
}

export async function conflicted(token) {
  'use workflow';
  try {
    return await createHook({ token });
  } catch (error) {
    return error.name;
  }
}

export async function race(token) {
  'use workflow';
  return await Promise.race([createHook({ token }), sleep('1s').then(() => 'late')]);
}

export async function written() {
  'use workflow';
  await write(['one', 'two', 'three']);
  await close();
  return 'written';
}

export async function called() {
  'use workflow';
  const webhook = createWebhook();
  await add(0, 0);
  const request = await webhook;
  return await request.text();
}
