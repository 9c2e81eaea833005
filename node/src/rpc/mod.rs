//! RPC beyond what every Substrate node has.

mod job;

use crate::{
    blobs::Blobs,
    service::{Client, Pool},
};
use job::JobRpcServer;
use jsonrpsee::RpcModule;
use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
use sc_rpc::{
    dev::{Dev, DevApiServer},
    SubscriptionTaskExecutor,
};
use sc_service::Error;
use std::sync::Arc;
use substrate_frame_rpc_system::{System, SystemApiServer};

/// Builds the module of all of them.
pub fn build(
    client: Arc<Client>,
    pool: Arc<Pool>,
    blobs: Option<Blobs>,
    executor: SubscriptionTaskExecutor,
) -> Result<RpcModule<()>, Error> {
    let build = || -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
        let mut module = RpcModule::new(());
        module.merge(System::new(client.clone(), pool).into_rpc())?;
        module.merge(TransactionPayment::new(client.clone()).into_rpc())?;
        module.merge(Dev::new(client.clone()).into_rpc())?;
        if let Some(blobs) = blobs {
            module.merge(blobs.rpc(executor.clone()))?;
        }
        module.merge(job::Jobs::new(client, executor).into_rpc())?;
        Ok(module)
    };
    build().map_err(Into::into)
}
