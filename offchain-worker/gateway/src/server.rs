//! Connections: bounded in number, in the time that a request's head may take, and at the end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::api;
use crate::gateway::Gateway;
use crate::stall::StallGuard;

/// Largest head of a request in bytes.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// Most header fields of a request.
const MAX_HEADERS: usize = 100;

/// Serves until `shutdown`; then takes no more connections, lets what is under way end within the
/// limit `stop_grace`, and stops the rest with an error event.
pub async fn serve(
    gateway: Arc<Gateway>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) {
    let service = api::router(gateway.clone());
    let places = Arc::new(Semaphore::new(gateway.limits.connections));
    let saving = tokio::spawn(save_spending(gateway.clone()));
    tokio::pin!(shutdown);
    loop {
        let place = tokio::select! {
            () = &mut shutdown => break,
            place = places.clone().acquire_owned() => match place {
                Ok(place) => place,
                Err(_) => break,
            },
        };
        let stream = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, or a client that is gone already.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        // Tokens are small packets, and each should leave at once.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
        let service = TowerToHyperService::new(service.clone());
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(gateway.limits.request_read)
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .serve_connection(
                TokioIo::new(StallGuard::new(stream, gateway.limits.client_stall)),
                service,
            );
        let closing = gateway.closing.clone();
        tokio::spawn(async move {
            let _place = place;
            tokio::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = closing.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke");
            }
        });
    }
    drop(listener);
    gateway.closing.cancel();
    // When every place can be had at once, all connections have ended.
    let all = u32::try_from(gateway.limits.connections).unwrap_or(u32::MAX);
    let grace = gateway.limits.stop_grace;
    let ended = tokio::time::timeout(grace, places.acquire_many(all)).await;
    gateway.stop.cancel();
    gateway.admission.close();
    if ended.is_err() {
        // Time for the error events to leave.
        let last = Duration::from_secs(2);
        if tokio::time::timeout(last, places.acquire_many(all))
            .await
            .is_err()
        {
            tracing::warn!("connections were cut at the end");
        }
    }
    // What was computed is charged, whether its client is still there or not.
    let accounts = gateway.admission.ended();
    let settle = gateway.limits.settle;
    if tokio::time::timeout(settle, accounts).await.is_err() {
        tracing::warn!("generations without an account were given up");
    }
    saving.abort();
    save_once(&gateway).await;
}

/// Keeps the file of the day's spending up to date.
async fn save_spending(gateway: Arc<Gateway>) {
    let mut clock = tokio::time::interval(Duration::from_secs(1));
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        save_once(&gateway).await;
    }
}

async fn save_once(gateway: &Arc<Gateway>) {
    let gateway = gateway.clone();
    match tokio::task::spawn_blocking(move || gateway.keys.save_if_charged()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!("{error}"),
        Err(error) => tracing::error!("saving the day's spending: {error}"),
    }
}
