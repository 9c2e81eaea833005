//! A TCP relay that can be cut.

use std::{
    net::SocketAddr,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub struct Proxy {
    pub address: SocketAddr,
    cut: watch::Sender<u64>,
    /// Bytes from the server that were passed on.
    pub passed: Arc<AtomicU64>,
}

impl Proxy {
    /// Relays to `target`.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, _) = watch::channel(0);
        let passed = Arc::new(AtomicU64::new(0));
        let (cuts, counter) = (cut.clone(), passed.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (mut cut, passed) = (cuts.subscribe(), counter.clone());
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(target).await else {
                        return;
                    };
                    tokio::select! {
                        () = relay(client, server, passed) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self {
            address,
            cut,
            passed,
        }
    }

    /// Drops every connection.
    pub fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }
}

async fn relay(client: TcpStream, server: TcpStream, passed: Arc<AtomicU64>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async { tokio::io::copy(&mut from_client, &mut to_server).await };
    let down = async {
        let mut buffer = [0; 4_096];
        loop {
            match from_server.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    if to_client.write_all(&buffer[..count]).await.is_err() {
                        return;
                    }
                    passed.fetch_add(count as u64, Ordering::Relaxed);
                }
            }
        }
    };
    tokio::select! {
        _ = up => {}
        () = down => {}
    }
}
