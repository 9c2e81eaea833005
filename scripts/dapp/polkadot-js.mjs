#!/usr/bin/env node
// Buys a completion with polkadot-js (@polkadot/api).
import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import { u8aConcat, u8aToHex } from '@polkadot/util';
import { cryptoWaitReady, randomAsU8a } from '@polkadot/util-crypto';
import { concerns, dot, feeOf, printPayment, run } from './lib/options.mjs';
import { Tokenizer } from './lib/tokenizer.mjs';

/** The node's own subscription: polkadot-js learns of it when the connection is made. */
const RPC = {
  chasqui: {
    subscribeJob: {
      description: 'How a job fares, until it ends',
      params: [{ name: 'job', type: 'u64' }],
      type: 'Json',
      pubsub: ['jobUpdate', 'subscribeJob', 'unsubscribeJob'],
    },
  },
};

/** Transaction extensions that polkadot-js does not know; neither adds bytes. */
const EXTENSIONS = Object.fromEntries(
  ['AuthorizeCall', 'StorageWeightReclaim'].map((name) => [name, { extrinsic: {}, payload: {} }])
);

// The library logs lost connections and failed calls on its own; this script reports them once.
const log = console.error;
console.error = (...line) => /(API-WS|RPC-CORE):/.test(line.join(' ')) || log(...line);

async function connect(url) {
  const provider = new WsProvider(url, false);
  const unreachable = new Promise((_, reject) => {
    provider.on('error', () => reject(new Error(`no node at ${url}`)));
    provider.on('disconnected', () => reject(new Error(`the connection to ${url} was lost`)));
  });
  unreachable.catch(() => {});
  await Promise.race([provider.connect().then(() => provider.isReady), unreachable]);
  const api = await ApiPromise.create({ provider, rpc: RPC, signedExtensions: EXTENSIONS, noInitWarn: true, throwOnConnect: true });
  return { api, lost: unreachable };
}

/**
 * Calls a pallet's view function. polkadot-js has no `api.view`: the runtime API takes the function's id
 * from the metadata (V16) and its arguments as bytes.
 */
async function view(api, pallet, name, ...args) {
  const fn = api.runtimeMetadata.asV16.pallets
    .find((p) => p.name.eq(pallet))
    ?.viewFunctions.find((f) => f.name.eq(name));
  if (!fn) throw new Error(`this chain has no view function ${pallet}.${name}`);
  const type = (id) => api.registry.createLookupType(id);
  const input = u8aConcat(...fn.inputs.map((parameter, i) => api.createType(type(parameter.type), args[i]).toU8a()));
  const id = { prefix: fn.id.subarray(0, 16), suffix: fn.id.subarray(16) };
  // `Bytes` from hexadecimal digits: from a Uint8Array it would expect a length in front.
  const result = await api.call.runtimeViewFunction.executeViewFunction(id, u8aToHex(input));
  if (result.isErr) throw new Error(`${pallet}.${name}: ${result.asErr}`);
  return api.createType(type(fn.output), result.asOk.toU8a(true));
}

/** A failed dispatch, as the pallet that refused calls it. */
function refusal(api, error) {
  if (!error.isModule) return new Error(error.toString());
  const { section, name, docs } = api.registry.findMetaError(error.asModule);
  const pallet = section[0].toUpperCase() + section.slice(1);
  return new Error(`${pallet}.${name}: ${docs.join(' ').trim()}`);
}

/** An event with the names that the pallet's source gives its fields. */
const named = ({ event }) => ({
  name: `${event.section[0].toUpperCase()}${event.section.slice(1)}.${event.method}`,
  data: Object.fromEntries(event.data.map((value, i) => [snake(event.data.names[i]), plain(value)])),
});
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const plain = (value) => (typeof value.toBigInt === 'function' ? value.toBigInt() : value.toJSON());

/** Signs and sends; resolves when it is in a block, rejects with the runtime's own error. */
function submit(api, call, signer) {
  return new Promise((resolve, reject) => {
    call
      .signAndSend(signer, ({ status, dispatchError, events }) => {
        // A chain that finalises every block at once may tell only that.
        if (status.isInBlock || status.isFinalized) {
          if (dispatchError) reject(refusal(api, dispatchError));
          else resolve({ block: status.isInBlock ? status.asInBlock : status.asFinalized, events });
        } else if (status.isError) {
          reject(new Error(`the transaction is ${status.type.toLowerCase()}`));
        }
      })
      .catch((error) => reject(new Error(error.message.replace(/^\d+: /, ''))));
  });
}

/** Prints the job's stages and events until it has ended. */
async function follow(api, job, from, tokenizer) {
  const seen = { job, events: [] };
  const stop = [];
  const outcome = new Promise((resolve, reject) => {
    api.rpc.chasqui
      .subscribeJob(job, (json) => {
        const update = json.toJSON();
        console.log(`#${update.blockNumber} ${update.stage}${update.case == null ? '' : `, case ${update.case}`}`);
        if (update.case != null) seen.case = BigInt(update.case);
        if (update.executor) seen.executor = update.executor;
        if (update.output && !seen.output) {
          seen.output = update.output;
          seen.text = tokenizer.decode(update.output);
          console.log(`answer (${update.output.length} tokens): ${JSON.stringify(seen.text)}`);
        }
        if (update.outcome) resolve({ ...update.outcome, block: update.blockNumber });
      })
      .then((unsubscribe) => stop.push(unsubscribe), reject);
  });
  outcome.catch(() => {});

  // Every block from the submission on, none twice: a subscription to heads may skip some.
  let next = from;
  const scan = async (to) => {
    for (; next <= to; next++) {
      const at = await api.at(await api.rpc.chain.getBlockHash(next));
      const events = (await at.query.system.events()).map(named);
      for (const event of events) {
        // The case is opened by one event and told by another after it.
        if (event.name === 'Jobs.AuditOpened' && event.data.job === job) seen.case = event.data.case;
        if (!concerns(event, job, seen.case)) continue;
        console.log(`#${next}   ${event.name}`);
        seen.events.push({ block: next, ...event });
      }
      seen.fee ??= feeOf(events, job);
    }
  };
  let scanning = Promise.resolve();
  const failed = new Promise((_, reject) => {
    api.rpc.chain
      .subscribeNewHeads((head) => {
        scanning = scanning.then(() => scan(head.number.toNumber()));
        scanning.catch(reject);
      })
      .then((unsubscribe) => stop.push(unsubscribe), reject);
  });
  seen.outcome = await Promise.race([outcome, failed]);
  scanning = scanning.then(() => scan(seen.outcome.block));
  await scanning;
  for (const unsubscribe of stop) unsubscribe();
  return seen;
}

async function buy(api, options) {
  await cryptoWaitReady();
  const tokenizer = Tokenizer.load(options.model);
  const client = new Keyring({ type: 'sr25519', ss58Format: api.registry.chainSS58 }).addFromUri(options.key);

  let checkpoint = options.checkpoint;
  if (!checkpoint) {
    const all = await view(api, 'Checkpoints', 'checkpoints', null, 100);
    checkpoint = all.find(([, record]) => record.status.isAccepted)?.[0].toHex();
    if (!checkpoint) throw new Error('no checkpoint takes payment on this chain');
  }
  const price = await view(api, 'Checkpoints', 'price', checkpoint);
  console.log(`checkpoint ${checkpoint}: ${price.isSome ? `${dot(price.unwrap().toBigInt())} a unit of compute` : 'takes no payment'}`);
  const operators = await view(api, 'Operators', 'operators_of', checkpoint, null, 100);
  for (const { account, record, weight, reputation, active } of operators) {
    const roles = ['compute', 'validate'].filter((role) => record.roles[role].isTrue).join(' and ');
    console.log(`  ${account} ${roles}, weight ${weight}, reputation ${reputation.toHuman()}${active.isTrue ? '' : ', not active'}`);
  }
  const prompt = { Text: u8aToHex(options.prompt) };
  const quoted = await view(api, 'Jobs', 'quote', checkpoint, prompt, options.maxTokens);
  // The chain says why it would refuse the job; only who names a price wants to hear it from `submit`.
  if (quoted.isErr && options.maxPrice === undefined) throw refusal(api, quoted.asErr);
  const quote = quoted.isOk ? quoted.asOk : undefined;
  const maxPrice = options.maxPrice ?? quote.escrow.toBigInt();
  if (quote) {
    console.log(`the prompt has ${quote.promptTokens} tokens at the most: ${dot(quote.escrow.toBigInt())}, and a deposit of ${dot(quote.deposit.toBigInt())}`);
  }
  console.log(`pays at the most ${dot(maxPrice)}`);

  const free = async () => (await api.query.system.account(client.address)).data.free.toBigInt();
  const before = await free();
  const call = api.tx.jobs.submit(
    checkpoint,
    prompt,
    randomAsU8a(32),
    {
      temperatureMilli: options.temperatureMilli,
      topK: 0,
      topPPpm: 1_000_000,
      seed: options.seed,
      stopIds: [],
      ignoreEos: false,
      maxTokens: options.maxTokens,
    },
    maxPrice,
    options.premium ? 'Premium' : 'Standard'
  );
  const { block, events } = await submit(api, call, client);
  const submitted = events.map(named).find((event) => event.name === 'Jobs.JobSubmitted');
  const job = submitted.data.job;
  const number = (await api.rpc.chain.getHeader(block)).number.toNumber();
  console.log(`job ${job} in block ${number}, up to ${dot(submitted.data.escrow)} on hold`);

  const seen = await follow(api, job, number, tokenizer);
  const report = {
    library: 'polkadot-js',
    checkpoint,
    job,
    client: client.address,
    tokens: seen.output,
    text: seen.text,
    executor: seen.executor,
    case: seen.case,
    outcome: seen.outcome,
    fee: seen.fee,
    transactionFee: events.map(named).find((e) => e.name === 'TransactionPayment.TransactionFeePaid')?.data.actual_fee,
    balance: { before, after: await free() },
    events: seen.events.map(({ block, name }) => ({ block, name })),
  };
  if (seen.fee) {
    printPayment(seen.fee);
    for (const account of [seen.fee.executor, ...seen.fee.auditors.map(([auditor]) => auditor)]) {
      const earned = (await view(api, 'Rewards', 'earnings', seen.fee.epoch, account)).unwrapOr(null);
      if (earned) {
        const sum = earned.compute.toBigInt() + earned.audit.toBigInt();
        console.log(`  ${account} has earned ${dot(sum)} in epoch ${seen.fee.epoch}, to be claimed`);
      }
    }
  }
  return report;
}

await run('polkadot-js.mjs', '@polkadot/api', async (options) => {
  const { api, lost } = await connect(options.url);
  return Promise.race([buy(api, options), lost]);
});
