//! Only the endpoint with the registered key is spoken to, and only in TLS 1.3.

use chasqui_session::tls::{client_config, server_config, TlsKey, ALPN};
use rustls::{pki_types::ServerName, ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A server with the key of `seed` that says "hello"; how its side of each handshake ended is not looked at.
async fn serve(seed: [u8; 32]) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = server_config(&TlsKey::from_seed(&seed)).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            if let Ok(mut secured) = acceptor.accept(socket).await {
                let _ = secured.write_all(b"hello").await;
                let _ = secured.shutdown().await;
            }
        }
    });
    address
}

async fn connect(address: std::net::SocketAddr, config: ClientConfig) -> Result<Vec<u8>, String> {
    let socket = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("anything.example").unwrap();
    let mut secured = TlsConnector::from(Arc::new(config))
        .connect(name, socket)
        .await
        .map_err(|error| error.to_string())?;
    assert_eq!(secured.get_ref().1.alpn_protocol(), Some(ALPN));
    let mut said = Vec::new();
    secured
        .read_to_end(&mut said)
        .await
        .map_err(|error| error.to_string())?;
    Ok(said)
}

// GIVEN an endpoint with a registered key
// WHEN a client connects that expects this key
// THEN they speak, whatever name the client used
#[tokio::test]
async fn the_registered_key_is_accepted() {
    let address = serve([1; 32]).await;
    let key = TlsKey::from_seed(&[1; 32]).public();
    let said = connect(address, client_config(key).unwrap()).await.unwrap();
    assert_eq!(said, b"hello");
}

// GIVEN an endpoint with another key than the registered one
// WHEN a client connects
// THEN the handshake fails
#[tokio::test]
async fn another_key_is_refused() {
    let address = serve([1; 32]).await;
    let key = TlsKey::from_seed(&[2; 32]).public();
    let error = connect(address, client_config(key).unwrap())
        .await
        .unwrap_err();
    assert!(error.contains("certificate"), "{error}");
}

// GIVEN something at the endpoint's address that speaks no TLS
// WHEN a client connects
// THEN the handshake fails
#[tokio::test]
async fn plain_tcp_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello").await;
        }
    });
    let key = TlsKey::from_seed(&[1; 32]).public();
    assert!(connect(address, client_config(key).unwrap()).await.is_err());
}

// GIVEN an endpoint
// WHEN somebody speaks plain TCP to it
// THEN it says nothing, and still serves others
#[tokio::test]
async fn a_server_does_not_speak_plain_tcp() {
    let address = serve([1; 32]).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut said = Vec::new();
    let _ = socket.read_to_end(&mut said).await;
    assert!(!said.windows(5).any(|window| window == b"hello"));
    drop(socket);
    let key = TlsKey::from_seed(&[1; 32]).public();
    assert!(connect(address, client_config(key).unwrap()).await.is_ok());
}

// GIVEN a server that speaks nothing newer than TLS 1.2, with the registered key; and a client of that kind
// WHEN they meet ours
// THEN neither gets through
#[tokio::test]
async fn tls_1_2_is_refused_on_both_sides() {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let old = [&rustls::version::TLS12];
    // Our client, an old server.
    let certificate = rcgen_certificate([1; 32]);
    let config = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&old)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.0], certificate.1)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let _ = acceptor.accept(socket).await;
        }
    });
    let key = TlsKey::from_seed(&[1; 32]).public();
    assert!(connect(address, client_config(key).unwrap()).await.is_err());
    // An old client, our server.
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&old)
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let error = connect(serve([1; 32]).await, config).await.unwrap_err();
    assert!(error.contains("ProtocolVersion"), "{error}");
}

fn rcgen_certificate(
    seed: [u8; 32],
) -> (
    rustls::pki_types::CertificateDer<'static>,
    rustls::pki_types::PrivateKeyDer<'static>,
) {
    let prefix = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    let pkcs8 = [&prefix[..], &seed].concat();
    let der = rustls::pki_types::PrivatePkcs8KeyDer::from(pkcs8);
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_ED25519).unwrap();
    let params = rcgen::CertificateParams::new(["old".to_string()]).unwrap();
    let certificate = params.self_signed(&pair).unwrap().der().clone();
    (certificate, der.into())
}
