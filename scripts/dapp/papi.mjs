#!/usr/bin/env node
// Buys a completion with PAPI (polkadot-api), without generated types.
import './lib/node18.mjs';
import { randomBytes } from 'node:crypto';
import { metadata as metadataCodec, unifyMetadata } from '@polkadot-api/substrate-bindings';
import { sr25519CreateDerive } from '@polkadot-labs/hdkd';
import { DEV_MINI_SECRET, ss58Address } from '@polkadot-labs/hdkd-helpers';
import { Enum, InvalidTxError, createClient } from 'polkadot-api';
import { getPolkadotSigner } from 'polkadot-api/signer';
import { getWsProvider } from 'polkadot-api/ws';
import { WebSocket } from 'ws';
import { concerns, dot, feeOf, printPayment, run } from './lib/options.mjs';
import { Tokenizer } from './lib/tokenizer.mjs';

const named = ({ event }) => ({ name: `${event.type}.${event.value.type}`, data: event.value.value ?? {} });

/** A failed dispatch, as the pallet that refused calls it, with what its metadata says about it. */
async function refusal(client, block, error) {
  if (error.type !== 'Module') return new Error(`${error.type}${error.value?.type ? `.${error.value.type}` : ''}`);
  const { type: pallet, value: { type: name } } = error.value;
  const { pallets, lookup } = unifyMetadata(metadataCodec.dec(await client.getMetadata(block)));
  const id = pallets.find((p) => p.name === pallet)?.errors;
  const variants = lookup[typeof id === 'object' ? id.type : id]?.def.value ?? [];
  const docs = variants.find((v) => v.name === name)?.docs ?? [];
  return new Error(`${pallet}.${name}: ${docs.join(' ').trim()}`);
}

/** A transaction that does not get into a block: Invalid.Payment says that the account cannot pay its fee. */
const invalid = ({ type, value }) => new Error(`the transaction is refused: ${type}${value?.type ? `.${value.type}` : ''}`);

async function buy(client, options) {
  const tokenizer = Tokenizer.load(options.model);
  const api = client.getUnsafeApi();
  const pair = sr25519CreateDerive(DEV_MINI_SECRET)(options.key);
  const signer = getPolkadotSigner(pair.publicKey, 'Sr25519', pair.sign);
  const address = ss58Address(pair.publicKey);

  // View functions are there by name, under the names of their pallets.
  const { Checkpoints, Jobs, Operators } = api.view;
  const checkpoint =
    options.checkpoint ?? (await Checkpoints.checkpoints(undefined, 100)).find(([, record]) => record.status.type === 'Accepted')?.[0];
  if (!checkpoint) throw new Error('no checkpoint takes payment on this chain');
  const price = await Checkpoints.price(checkpoint);
  console.log(`checkpoint ${checkpoint}: ${price === undefined ? 'takes no payment' : `${dot(price)} a unit of compute`}`);
  for (const { account, record, weight } of await Operators.operators_of(checkpoint, undefined, 100)) {
    console.log(`  ${account} ${Object.keys(record.roles).filter((role) => record.roles[role]).join(' and ')}, weight ${weight}`);
  }
  const prompt = Enum('Text', options.prompt);
  const quote = await Jobs.quote(checkpoint, prompt, options.maxTokens);
  // The chain says why it would refuse the job; only who names a price wants to hear it from `submit`.
  if (!quote.success && options.maxPrice === undefined) {
    throw await refusal(client, (await client.getFinalizedBlock()).hash, quote.value);
  }
  if (quote.success) {
    const { prompt_tokens, escrow, deposit } = quote.value;
    console.log(`the prompt has ${prompt_tokens} tokens at the most: ${dot(escrow)}, and a deposit of ${dot(deposit)}`);
  }
  const maxPrice = options.maxPrice ?? quote.value.escrow;

  const free = async () => (await api.query.System.Account.getValue(address, { at: 'best' })).data.free;
  const before = await free();
  const call = api.tx.Jobs.submit({
    checkpoint,
    prompt,
    salt: `0x${randomBytes(32).toString('hex')}`,
    sampling: {
      temperature_milli: options.temperatureMilli,
      top_k: 0,
      top_p_ppm: 1_000_000,
      seed: options.seed,
      stop_ids: [],
      ignore_eos: false,
      max_tokens: options.maxTokens,
    },
    max_price: maxPrice,
    class: Enum(options.premium ? 'Premium' : 'Standard'),
  });
  const sent = await call.signAndSubmit(signer).catch((error) => {
    throw error instanceof InvalidTxError ? invalid(error.error) : error;
  });
  if (!sent.ok) throw await refusal(client, sent.block.hash, sent.dispatchError);
  const { job, escrow } = sent.events.map((event) => named({ event })).find((e) => e.name === 'Jobs.JobSubmitted').data;
  console.log(`job ${job} in block ${sent.block.number}, up to ${dot(escrow)} on hold`);

  const seen = { events: [] };
  // The node's own subscription tells stage, answer and outcome.
  const outcome = new Promise((resolve, reject) => {
    client._subscribe('chasqui_subscribeJob', 'chasqui_unsubscribeJob', [Number(job)]).subscribe({
      next: (update) => {
        console.log(`#${update.blockNumber} ${update.stage}`);
        if (update.case != null) seen.case = BigInt(update.case);
        if (update.executor) seen.executor = update.executor;
        if (update.output && !seen.tokens) {
          seen.tokens = update.output;
          seen.text = tokenizer.decode(update.output);
          console.log(`answer (${update.output.length} tokens): ${JSON.stringify(seen.text)}`);
        }
        if (update.outcome) resolve({ ...update.outcome, block: update.blockNumber });
      },
      error: reject,
    });
  });
  // Events come with every finalised block, without gaps.
  const payment = new Promise((resolve, reject) => {
    let work = Promise.resolve();
    client.finalizedBlock$.subscribe({
      next: (block) => {
        work = work.then(async () => {
          const events = (await api.query.System.Events.getValue({ at: block.hash })).map(named);
          for (const event of events) {
            if (event.name === 'Jobs.AuditOpened' && event.data.job === job) seen.case = event.data.case;
            if (!concerns(event, job, seen.case)) continue;
            console.log(`#${block.number}   ${event.name}`);
            seen.events.push({ block: block.number, name: event.name });
            if (['Jobs.Settled', 'Jobs.Refunded', 'Jobs.Expired'].includes(event.name)) resolve(feeOf(events, job));
          }
        });
        work.catch(reject);
      },
      error: reject,
    });
  });
  const [ended, fee] = await Promise.all([outcome, payment]);
  if (fee) printPayment(fee);
  const transactionFee = sent.events.map((event) => named({ event })).find((e) => e.name === 'TransactionPayment.TransactionFeePaid');
  return {
    library: 'polkadot-api',
    checkpoint,
    job,
    client: address,
    ...seen,
    outcome: ended,
    fee,
    transactionFee: transactionFee?.data.actual_fee,
    balance: { before, after: await free() },
  };
}

await run('papi.mjs', 'polkadot-api', async (options) => {
  let failed;
  const lost = new Promise((_, reject) => (failed = reject));
  const provider = getWsProvider(options.url, {
    // Node before 22 has no WebSocket of its own.
    websocketClass: globalThis.WebSocket ?? WebSocket,
    onStatusChanged: ({ type }) => type === 'ERROR' && failed(new Error(`no node at ${options.url}, or the connection was lost`)),
  });
  const client = createClient(provider);
  try {
    return await Promise.race([buy(client, options), lost]);
  } finally {
    client.destroy();
  }
});
